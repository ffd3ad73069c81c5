"""What two runs are compared by."""

from pathlib import Path


def content(root):
    """Every file of a run but the time and the lock, as bytes; the manifest holds the hash of the report."""
    files = sorted(path for path in Path(root).rglob("*") if path.is_file())
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in files
        if p.name not in ("timings.json", "report.html", ".lock")
    }
