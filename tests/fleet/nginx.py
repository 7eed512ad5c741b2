# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private nginx before one instance, configured as the vendor's pages tell: loopback, high ports, no root."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from instance import Instance
from mariadb import free_port

START_SECONDS = 10.0
NAMES = ("first.example", "second.example")  # of the certificate
_PROXIED = """
      root {public};
      location / {{ try_files $uri $uri/index.html @AnqiCMS; }}
      location @AnqiCMS {{
        proxy_pass http://127.0.0.1:{port};
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_read_timeout 30s;
      }}
"""
_CONFIG = """
daemon off;
master_process off;
pid {place}/pid;
error_log {place}/error.log;
events {{ worker_connections 256; }}
http {{
  types {{ text/html html; application/xml xml; text/plain txt; }}
  log_format told '$host $ssl_server_name $request_uri';
  access_log {place}/access.log told;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  ssl_certificate {place}/cert.pem;
  ssl_certificate_key {place}/key.pem;
  server {{
      listen 127.0.0.1:{http};
      listen 127.0.0.1:{https} ssl;
      server_name _;
{proxied}
  }}
  server {{
      listen 127.0.0.1:{http};
      server_name encrypted.example;
      return 301 https://$host$request_uri;
  }}
}}
"""


def find_nginx() -> str:
    """Path of nginx; empty when it is not installed."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin") or ""


class Nginx:
    """As a context manager. `http` and `https` are its ports on 127.0.0.1; ended by its pid."""

    def __init__(self, directory: Path, instance: Instance) -> None:
        self.directory = directory
        self.http, self.https = free_port(), free_port()
        self._instance = instance
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Nginx":
        self.directory.mkdir(parents=True)
        _make_certificate(self.directory)
        proxied = _PROXIED.format(public=self._instance.dir / "public", port=self._instance.port)
        config = self.directory / "nginx.conf"
        config.write_text(_CONFIG.format(place=self.directory, http=self.http, https=self.https, proxied=proxied))
        self._process = subprocess.Popen(
            [find_nginx(), "-p", str(self.directory), "-c", str(config), "-e", str(self.directory / "error.log")],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def requests(self) -> list[str]:
        """Host, server name of TLS (or -) and address of every request that it has answered."""
        return (self.directory / "access.log").read_text().splitlines()

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with socket.socket() as dial:
                if dial.connect_ex(("127.0.0.1", self.https)) == 0:
                    return
            time.sleep(0.02)
        self.__exit__()
        raise TimeoutError("nginx does not listen: " + (self.directory / "error.log").read_text()[-1000:])


def _make_certificate(place: Path) -> None:
    names = ",".join(f"DNS:{name}" for name in NAMES)
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=test",
            "-addext",
            f"subjectAltName={names}",
            "-keyout",
            str(place / "key.pem"),
            "-out",
            str(place / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
