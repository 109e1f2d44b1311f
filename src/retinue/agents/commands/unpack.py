"""A process of its own that unpacks what a git server has sent: hostile packs take its memory and time, not ours.

Reads the id of a commit in a line, then a pack, from standard input; writes the files of the commit as a tar.
"""

from __future__ import annotations

import io
import resource
import stat
import sys
import tarfile

#: Bytes of memory, seconds of CPU.
MOST_MEMORY, MOST_SECONDS = 1024 * 1024 * 1024, 60
#: Files, bytes of one, and of all together.
MOST_FILES, MOST_FILE_BYTES, MOST_BYTES = 400, 1024 * 1024, 32 * 1024 * 1024


def main() -> None:
    """Unpack. What is too much is left out, and named on standard error."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    from dulwich.object_store import MemoryObjectStore, iter_tree_contents
    from dulwich.objects import Blob, Commit, ObjectID

    head, pack = sys.stdin.buffer.readline().strip(), sys.stdin.buffer.read()
    objects = MemoryObjectStore()
    file, commit, _ = objects.add_pack()
    file.write(pack)
    commit()
    found = objects[ObjectID(head)]
    assert isinstance(found, Commit)  # noqa: S101 (else the server has lied, and this process ends)
    left, count, skipped = MOST_BYTES, 0, 0
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for entry in iter_tree_contents(objects, found.tree):
            blob = objects[entry.sha] if stat.S_ISREG(entry.mode or 0) else None
            if not isinstance(blob, Blob) or len(blob.data) > min(MOST_FILE_BYTES, left) or count >= MOST_FILES:
                skipped += 1
                continue
            information = tarfile.TarInfo((entry.path or b"").decode("utf-8", "replace"))
            information.size = len(blob.data)
            archive.addfile(information, io.BytesIO(blob.data))
            left, count = left - len(blob.data), count + 1
    if skipped:
        sys.stderr.write(f"{skipped} files were left out: too large, too many, or links.")


if __name__ == "__main__":
    main()
