"""What tests of sweeps and variants look at: every file of a project, and what a variant made itself."""

import hashlib

ITS_OWN = ("variants", "sweeps")


def digests(project, skip=(*ITS_OWN, "cache")):
    """SHA-256 of every file of a project by path, but for those in the folders to skip."""
    files = [path for path in project.root.rglob("*") if path.is_file()]
    inside = {path.relative_to(project.root): path for path in files}
    return {
        str(name): hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in inside.items()
        if name.parts[0] not in skip
    }


def made_in(folder):
    """The sealed arrays (without the case) and the networks that lie in a folder, each once."""
    arrays = {
        "/".join(path.parent.relative_to(folder / "store.zarr" / "cases").parts[1:])
        for path in (folder / "store.zarr" / "cases").glob("*/*/*/zarr.json")
    }
    return arrays | {path.stem for path in (folder / "checkpoints").glob("*.safetensors")}
