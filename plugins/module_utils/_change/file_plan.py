# Copyright (c) 2026, anqicms.lifecycle contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to this collection: may change in any release.

"""Which files of an install directory a release replaces, and which are the user's. Pure.

Whose files are whose stands in docs/upgrade.md (Files). What cannot be proved to be the release's own counts as the
user's, and stays.
"""

import functools
import re
import typing as t

from ansible_collections.anqicms.lifecycle.plugins.module_utils._app import versions
from ansible_collections.anqicms.lifecycle.plugins.module_utils._change.archive import BINARY, File, Manifest
from ansible_collections.anqicms.lifecycle.plugins.module_utils._errors import LifecycleError
from ansible_collections.anqicms.lifecycle.plugins.module_utils._host import printable

FILE, DIRECTORY = 'file', 'directory'
BULK = '.lifecycle'
# Directories that belong to the release as a whole: taken away and put there by one rename each.
WHOLE = ('system', 'locales', 'doc', 'clientFiles')
# What an archive may hold and no release ever writes: settings, content, state.
_NEVER = ('config.json', 'collector.json', 'keyword.json', 'data', 'public/uploads', 'cache')
# What people edit in place: replaced only where the file is proved to be that of the release that runs.
_EDITED = ('template', 'public', 'dictionary.txt')
_SCRIPTS = ('.sh', '.bat', '.cmd', '.ps1')
_PROGRAMS = ('source/cwebp_',)
_MOST_NAMED, _MOST_KEPT = 5, 40
DEFAULT_FILE, DEFAULT_PROGRAM, DEFAULT_DIRECTORY = 0o644, 0o755, 0o755
_NOT_BY_OTHERS = 0o775


class Seen(t.NamedTuple):
    """What stands at a path of the install directory. ``sha256``: None where it was not read."""

    kind: str  # file, directory, or what else, for a message
    uid: int
    gid: int
    mode: int  # permission bits
    size: int = 0
    sha256: t.Optional[str] = None


class Owned(t.NamedTuple):
    """How a staged path has to look before it is switched in."""

    uid: int
    gid: int
    mode: int


class Rename(t.NamedTuple):
    """``out``: from its place to where replaced files are kept; else from the staged files to its place."""

    out: bool
    path: str


Listing = t.Mapping[str, Seen]
Known = t.Mapping[str, t.Sequence[str]]  # checksums that the vendor's releases have at a path


_DIGEST = re.compile(r'[0-9a-f]{64}\Z')


def joined(known: t.Iterable[Known]) -> t.Dict[str, t.List[str]]:
    """All that is known of any of them."""
    found: t.Dict[str, t.List[str]] = {}
    for one in known:
        for path, digests in one.items():
            there = found.setdefault(path, [])
            there.extend(digest for digest in digests if digest not in there)
    return found


def covers(known: Known, more: Known) -> bool:
    """Whether nothing in ``more`` is new."""
    return all(digest in known.get(path, ()) for path, digests in more.items() for digest in digests)


def known_of(given: t.Mapping[str, t.Any]) -> Known:
    """As a caller has given it. LifecycleError for what is no path with checksums."""
    for path, digests in given.items():
        if not isinstance(digests, list) or not all(isinstance(one, str) and _DIGEST.match(one) for one in digests):
            raise LifecycleError(
                'release: known_files has no list of SHA-256 for %s. Nothing was done. Give what the '
                'filter known_files makes.' % printable.line(path)
            )
    return given


def known_in(manifests: t.Iterable[Manifest], of: t.Optional[Manifest] = None) -> t.Dict[str, t.List[str]]:
    """Of the files that people edit in place, their checksums in these releases; ``of``: only those that it would
    replace.
    """
    wanted = None if of is None else {file.path: file.sha256 for file in of.files}
    return joined(
        [
            {file.path: [file.sha256]}
            for manifest in manifests
            for file in manifest.files
            if may_be_edited(file.path) and (wanted is None or wanted.get(file.path, file.sha256) != file.sha256)
        ]
    )


class FilePlan(t.NamedTuple):
    renames: t.List[Rename]
    owned: t.Dict[str, Owned]  # each staged path that is switched in, those in whole directories too
    added: t.List[str]
    replaced: t.List[str]
    kept: t.List[str]  # count as edited by the user, and differ from the release
    removed: t.List[str]  # of whole directories: gone with them
    same: int  # how many files are there already

    @property
    def counts(self) -> t.Dict[str, int]:
        return dict(
            added=len(self.added),
            replaced=len(self.replaced),
            kept=len(self.kept),
            removed=len(self.removed),
            same=self.same,
        )


def below(path: str, tops: t.Sequence[str]) -> bool:
    """Whether a path is one of these, or lies below one."""
    return path in tops or path.startswith(_prefixes(tuple(tops)))


@functools.lru_cache(maxsize=64)
def _prefixes(tops: t.Tuple[str, ...]) -> t.Tuple[str, ...]:
    return tuple(top + '/' for top in tops)


def is_never_touched(path: str) -> bool:
    return below(path, _NEVER) or ('/' not in path and path.endswith('.log'))


def may_be_edited(path: str) -> bool:
    """Whether people edit this file in place, so that only a proof makes it the release's."""
    return below(path, _EDITED) or ('/' not in path and path.lower().endswith(_SCRIPTS))


def is_program(path: str, binary: str) -> bool:
    return path == binary or path.startswith(_PROGRAMS) or ('/' not in path and path.endswith('.sh'))


def staged_files(manifest: Manifest, binary: str) -> t.Tuple[t.List[File], t.List[str], t.List[str]]:
    """The files and directories of an archive that are staged, the binary by the name that it has here; and the rest.

    The directory ``cache`` itself is made where it is missing.
    """
    files = [
        file._replace(path=binary) if file.path == BINARY else file
        for file in manifest.files
        if not is_never_touched(file.path)
    ]
    ignored = [file.path for file in manifest.files if is_never_touched(file.path)]
    if binary != BINARY and binary in [file.path for file in manifest.files]:
        raise LifecycleError(
            'The archive has a file %s, which is the name of the binary here. Nothing was staged. '
            'Rename the binary of the instance.' % binary
        )
    directories = [path for path in manifest.directories if path == 'cache' or not is_never_touched(path)]
    return files, directories, ignored


def parents(path: str) -> t.Tuple[str, ...]:
    """All directories above a path, the topmost first."""
    return _with_parents(path.rpartition('/')[0])


@functools.lru_cache(maxsize=4096)
def _with_parents(directory: str) -> t.Tuple[str, ...]:
    """A release has many files in few directories."""
    return _with_parents(directory.rpartition('/')[0]) + (directory,) if directory else ()


class Refusals:
    """Collects what stands in the way, to name all of it at once."""

    def __init__(self) -> None:
        self.found: t.List[str] = []

    def add(self, path: str, why: str) -> None:
        text = '%s (%s)' % (printable.line(path), why)
        if text not in self.found:
            self.found.append(text)

    def raise_any(self, version: str) -> None:
        if not self.found:
            return
        more = ' and %d more' % (len(self.found) - _MOST_NAMED) if len(self.found) > _MOST_NAMED else ''
        raise LifecycleError(
            'The release %s cannot be switched in: in the install directory it would replace what it must not: %s%s. '
            'Nothing was changed. Put plain files and directories there, on the file system of the install directory.'
            % (version, ', '.join(self.found[:_MOST_NAMED]), more)
        )


class _Planner:
    """One plan. ``old``: of the releases that are known, above all the one that runs; None where none is."""

    def __init__(
        self,
        version: str,
        files: t.Sequence[File],
        directories: t.Sequence[str],
        listing: Listing,
        top: Owned,
        binary: str,
        trusted: t.Collection[int],
        old: t.Optional[Known],
    ) -> None:
        self.version, self.files, self.directories = version, list(files), list(directories)
        self.listing, self.top, self.binary, self.trusted, self.old = listing, top, binary, trusted, old or {}
        self.refusals = Refusals()
        self.plan = FilePlan([], {}, [], [], [], [], 0)

    def make(self) -> FilePlan:
        for top in WHOLE:
            self._whole(top)
        for path in self._missing_directories():
            self._add_tree(path)
        for file in self.files:
            if not below(file.path, WHOLE) and self._has_parents(file.path):
                self._file(file)
        self.refusals.raise_any(self.version)
        renames = sorted(self.plan.renames, key=lambda one: (one.path, not one.out))
        own = [one for one in renames if one.path == self.binary]
        rest = [one for one in renames if one.path != self.binary]
        # Without a binary nothing can be started in the middle: it goes first and comes last.
        return self.plan._replace(
            renames=[one for one in own if one.out] + rest + [one for one in own if not one.out], same=self._same()
        )

    def _same(self) -> int:
        moved = set(self.plan.added) | set(self.plan.replaced) | set(self.plan.kept)
        return len([file for file in self.files if file.path not in moved])

    # owners and modes

    def _owner(self, path: str) -> t.Tuple[int, int]:
        """Of what stands there, else of the nearest directory above; a stranger's ownership is not passed on."""
        for place in (path,) + parents(path)[::-1]:
            seen = self.listing.get(place)
            if seen is not None and seen.uid in self.trusted:
                return seen.uid, seen.gid
        return self.top.uid, self.top.gid

    def _own_file(self, path: str) -> None:
        uid, gid = self._owner(path)
        program, seen = is_program(path, self.binary), self.listing.get(path)
        mode = DEFAULT_PROGRAM if program else DEFAULT_FILE
        if seen is not None and seen.kind == FILE and (seen.mode & 0o100 or not program):
            mode = seen.mode & _NOT_BY_OTHERS
        self.plan.owned[path] = Owned(uid, gid, mode)

    def _own_directory(self, path: str) -> None:
        uid, gid = self._owner(path)
        seen = self.listing.get(path)
        mode = DEFAULT_DIRECTORY if seen is None or seen.kind != DIRECTORY else seen.mode & 0o3777
        self.plan.owned[path] = Owned(uid, gid, mode)

    # whole directories

    def _inside(self, top: str) -> t.List[File]:
        return [file for file in self.files if file.path.startswith(top + '/')]

    def _add_tree(self, path: str) -> None:
        """A directory goes in as a whole, with all that the release has in it."""
        self.plan.renames.append(Rename(False, path))
        for one in self.directories:
            if below(one, [path]):
                self._own_directory(one)
        for file in self._inside(path):
            self._own_file(file.path)
            (self.plan.replaced if file.path in self.listing else self.plan.added).append(file.path)

    def _whole(self, top: str) -> None:
        seen, new = self.listing.get(top), self._inside(top)
        stale = top == 'system' and not new and versions.embeds_admin_pages(self.version)
        if seen is None or not (new or stale):
            if new:
                self._add_tree(top)
            return
        there = {path: one for path, one in self.listing.items() if below(path, [top])}
        for path, one in there.items():
            if one.kind not in (FILE, DIRECTORY):
                self.refusals.add(path, one.kind)
        if seen.kind == FILE:
            self.refusals.add(top, 'a file, not a directory')
        if new and all(there.get(file.path, seen).sha256 == file.sha256 for file in new):
            return
        self.plan.renames.append(Rename(True, top))
        names = {file.path for file in new}
        self.plan.removed.extend(sorted(path for path, one in there.items() if one.kind == FILE and path not in names))
        if new:
            self._add_tree(top)

    # file by file

    def _missing_directories(self) -> t.List[str]:
        """The topmost of those that are not there, and hold something of the release or are empty in it."""
        missing = [path for path in self.directories if path not in self.listing and not below(path, WHOLE)]
        return [path for path in missing if not any(up in missing for up in parents(path))]

    def _has_parents(self, path: str) -> bool:
        """Whether all directories above are there; what is no directory is refused."""
        for up in parents(path):
            seen = self.listing.get(up)
            if seen is None:
                return False
            if seen.kind != DIRECTORY:
                self.refusals.add(up, 'a file, not a directory' if seen.kind == FILE else seen.kind)
                return False
        return True

    def _file(self, file: File) -> None:
        seen = self.listing.get(file.path)
        if seen is None:
            self.plan.added.append(file.path)
            self._switch_in(file.path)
        elif seen.kind != FILE:
            self.refusals.add(file.path, seen.kind)
        elif seen.sha256 == file.sha256:
            return
        elif may_be_edited(file.path) and (seen.sha256 is None or seen.sha256 not in self.old.get(file.path, ())):
            self.plan.kept.append(file.path)
        else:
            self.plan.replaced.append(file.path)
            self.plan.renames.append(Rename(True, file.path))
            self._switch_in(file.path)

    def _switch_in(self, path: str) -> None:
        self.plan.renames.append(Rename(False, path))
        self._own_file(path)


def make(
    version: str,
    files: t.Sequence[File],
    directories: t.Sequence[str],
    listing: Listing,
    top: Owned,
    binary: str,
    trusted: t.Collection[int],
    old: t.Optional[Known] = None,
) -> FilePlan:
    """The plan of one switch. LifecycleError for links and the like where the release writes, all of them named.

    ``top``: owner of the install directory itself. ``trusted``: the users of the instance, and root.
    """
    return _Planner(version, files, directories, listing, top, binary, trusted, old).make()


def after(listing: Listing, plan: FilePlan, files: t.Sequence[File]) -> t.Dict[str, Seen]:
    """What stands there when the plan of these files has been carried out: for the plan of the release after it."""
    gone, come = [[one.path for one in plan.renames if one.out is out] for out in (True, False)]
    found = {path: seen for path, seen in listing.items() if not below(path, gone)}
    staged = {file.path: file for file in files}
    for path, owned in plan.owned.items():
        if below(path, come):
            file = staged.get(path)
            found[path] = Seen(DIRECTORY, *owned) if file is None else Seen(FILE, *owned, file.size, file.sha256)
    return found


def refuse_missing_parts(version: str, files: t.Sequence[File]) -> None:
    """LifecycleError for an archive without what its version cannot start without."""
    if versions.needs_locales(version) and not any(file.path.startswith('locales/') for file in files):
        raise LifecycleError(
            'The archive has no locales/, without which %s does not start. Nothing was staged. Get '
            'the complete archive.' % version
        )


def refuse_mounts(renames: t.Sequence[Rename], mounts: t.Iterable[str], version: str) -> None:
    """LifecycleError where a rename would cross, or take along, another mount. ``mounts``: below the directory."""
    refusals = Refusals()
    for mount in mounts:
        for one in renames:
            if below(one.path, [mount]) or below(mount, [one.path]):
                refusals.add(mount, 'another file system is mounted there')
    refusals.raise_any(version)


def refuse_mounted_bulk(mounts: t.Iterable[str], directory: str) -> None:
    """LifecycleError where renames from the staged files to their places would cross a mount."""
    if any(below(mount, [BULK]) for mount in mounts):
        raise LifecycleError(
            'Another file system is mounted at %s/%s. Nothing was changed. Unmount it: staged files '
            'are renamed into their places, which works within one file system only.' % (directory, BULK)
        )


def mounts_below(mountinfo: str, directory: str) -> t.List[str]:
    """Mount points below a directory, relative to it, from the text of /proc/self/mountinfo."""
    found = set()
    for line in mountinfo.split('\n'):
        fields = line.split(' ')
        if len(fields) > 4:
            path = _unescape(fields[4])
            if path.startswith(directory.rstrip('/') + '/'):
                found.add(path[len(directory.rstrip('/')) + 1 :])
    return sorted(found - {''})


def _unescape(text: str) -> str:
    for code, char in (('\\040', ' '), ('\\011', '\t'), ('\\012', '\n'), ('\\134', '\\')):
        text = text.replace(code, char)
    return text


def why_kept(plan: FilePlan) -> str:
    """For the plan: which files of the release before stay, and why; empty where none does."""
    if not plan.kept:
        return ''
    return (
        '. Kept, because nothing proves that they are unedited (no release that is known has them as they are '
        'here): %s. Where the archive of the version that runs is known (old_src, in the role among '
        'anqicms_releases), those that are unedited are replaced' % _named(plan.kept)
    )


def _named(paths: t.Sequence[str]) -> str:
    more = ' and %d more' % (len(paths) - _MOST_KEPT) if len(paths) > _MOST_KEPT else ''
    return ', '.join(printable.line(path) for path in sorted(paths)[:_MOST_KEPT]) + more


def diff(plan: FilePlan, files: t.Sequence[File], listing: Listing) -> t.Dict[str, str]:
    """What ``--diff`` shows: a line for each file that goes or comes, with the begin of its checksum."""
    new = {file.path: file.sha256[:12] for file in files}
    before = [
        '%s  %s' % (path, ((listing.get(path) or _NOTHING).sha256 or '?')[:12])
        for path in sorted(plan.replaced + plan.removed)
    ]
    after = ['%s  %s' % (path, new[path]) for path in sorted(plan.replaced + plan.added)]
    return dict(before=''.join(line + '\n' for line in before), after=''.join(line + '\n' for line in after))


_NOTHING = Seen(FILE, 0, 0, 0)
