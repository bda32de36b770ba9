"""The bundled models of 0.1.0, by which its results were made: later versions have others."""

WEIGHTS = {
    "clip": "4a48db971409417defe7859fd5fa62173f0bd9f5fc3fd8d2525dee3f55402064",
    "sam": "f4ddf4a4907f409486a9eae89fee439b3c46dde2bfc782e4dcafe0337b0bc846",
}
"""SHA-256 of the bundled models' files in 0.1.0."""


def count_as_those_of_0_1_0(monkeypatch):
    """Have the bundled models count as those of 0.1.0, so that they make nothing stale."""
    clip, sam = {"clip": WEIGHTS["clip"]}, WEIGHTS["sam"]
    monkeypatch.setattr("clisc_engine.stages.recipes.clip_digests", lambda *_: clip)
    monkeypatch.setattr("clisc_engine.stages.recipes.sam_digest", lambda *_: sam)
