"""The Segment Anything Model through segment_anything, for many slices and prompts at once.

Masks are those of upstream's ``SamPredictor`` called slice by slice, but for the rounding of embeddings to
float16; batching and the encoder's arithmetic (`sam_attention`) are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from clisc_engine.core.prompts import Prompt
from clisc_engine.files.digest import sha256_of
from clisc_engine.models import sam_attention
from clisc_engine.models.finite import check_finite
from clisc_engine.models.packages import ResizeLongestSide, Sam, sam_model_registry
from clisc_engine.models.sam_size import resize_input
from clisc_engine.models.tiny import build_sam, read_config
from clisc_engine.models.weights import sam_path, take_state
from clisc_engine.settings.medical import MEDSAM

Embeddings: TypeAlias = npt.NDArray[np.float16]
"""(N, C, h, w), what SAM's encoder says of N slices."""


@dataclass(frozen=True)
class SamModel:
    """A SAM ready for prompts.

    Attributes:
        network: segment_anything's model in evaluation mode.
        device: where it runs.
        digest: SHA-256 of the weight file.
        feed: what its encoder takes: ``sam``, values less its mean over its deviation; or ``medsam``,
            from 0 for a slice's darkest to 1 for its brightest, as MedSAM was trained (Ma et al., Nature
            Communications 2024, released code).
    """

    network: Sam
    device: torch.device
    digest: str
    feed: Literal["sam", "medsam"] = "sam"

    @property
    def image_size(self) -> int:
        """Side of the encoder's square input in pixels."""
        return int(self.network.image_encoder.img_size)

    @torch.inference_mode()
    def encode(self, slices: npt.NDArray[np.uint8]) -> Embeddings:
        """Image embeddings (N, C, h, w) of (N, Y, X) uint8 slices.

        They are rounded whether they will be kept or not, so that masks do not depend on a cache. On a
        CPU slices go through one by one: batches gain nothing at full size, and sums in another order
        would make an embedding depend on its neighbours in the batch.

        Raises:
            BadInput: when they are not finite.
        """
        resize = ResizeLongestSide(self.image_size)
        resized = np.stack([resize.apply_image(np.repeat(s[..., None], 3, axis=2)) for s in slices])
        pixels = torch.from_numpy(resized).to(self.device).permute(0, 3, 1, 2).contiguous()
        prepared = self._prepare(pixels.float())
        parts = prepared.split(1 if self.device.type == "cpu" else len(prepared))
        encoder = self.network.image_encoder
        embeddings = [sam_attention.encode(encoder, part).half() for part in parts]
        for part in embeddings:
            check_finite(part, "SAM")
        return np.concatenate([part.cpu().numpy() for part in embeddings])

    def _prepare(self, pixels: Tensor) -> Tensor:
        """The encoder's input (N, 3, S, S) of resized slices (N, 3, h, w) in 0 to 255; 0 pads them."""
        if self.feed == "sam":
            prepared: Tensor = self.network.preprocess(pixels)
            return prepared
        low, high = (of(pixels, dim=(1, 2, 3), keepdim=True) for of in (torch.amin, torch.amax))
        scaled = (pixels - low) / (high - low).clamp(min=1e-8)
        height, width = pixels.shape[-2:]
        return functional.pad(scaled, (0, self.image_size - width, 0, self.image_size - height))

    @torch.inference_mode()
    def decode(
        self,
        embeddings: Embeddings,
        prompts: Sequence[Prompt],
        shape: tuple[int, int],
        mirrored: Embeddings | None = None,
    ) -> npt.NDArray[np.bool_]:
        """One mask a prompt.

        Args:
            embeddings: (P, C, h, w) from `encode`, the embedding of each prompt's slice.
            prompts: P prompts, all with a box or all without.
            shape: (Y, X) of the slices.
            mirrored: (P, C, h, w), of the slices with their columns in reverse: SAM is asked about these
                too, and the mean of both logits decides.

        Returns:
            (P, Y, X) masks in the slices' own pixels.

        Raises:
            BadInput: when the logits are not finite, of which none would be in a mask.
        """
        found = self._logits(embeddings, prompts, shape)
        if mirrored is not None:
            other = self._logits(mirrored, [prompt.mirrored(shape[1]) for prompt in prompts], shape)
            found = (found + other.flip(-1)) / 2
        check_finite(found, "SAM")
        return (found > self.network.mask_threshold).cpu().numpy()

    def _logits(self, embeddings: Embeddings, prompts: Sequence[Prompt], shape: tuple[int, int]) -> Tensor:
        """SAM's logits (P, Y, X) of one view of the slices."""
        found = torch.zeros((len(prompts), *shape), device=self.device)
        counts = [len(prompt.points) for prompt in prompts]
        for count in sorted(set(counts)):
            rows = [row for row, points in enumerate(counts) if points == count]
            found[rows] = self._logits_alike(embeddings[rows], [prompts[row] for row in rows], shape)
        return found

    @torch.inference_mode()
    def candidates(
        self,
        embedding: npt.NDArray[np.float16],
        points: npt.NDArray[np.floating],
        shape: tuple[int, int],
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """What single points of one slice may show, as SAM's everything mode asks.

        Args:
            embedding: (C, h, w) of the slice.
            points: (P, 2), each (x, y) in pixels.
            shape: (Y, X) of the slice.
            multimask: three masks a point (part, whole, something between) instead of one.

        Returns:
            Logits (P * M, 4h, 4w) for `enlarge`, M masks of a point side by side, and the IoU (P * M,)
            that SAM expects of each.

        Raises:
            BadInput: when one of them is not finite.
        """
        mark = np.ones(1, np.int64)
        prompts = [Prompt(None, point[None].astype(np.float32), mark) for point in points]
        sparse, dense = self._encode_prompts(prompts, shape)
        images = torch.from_numpy(embedding).to(self.device).float()[None]
        attended, upscaled = _attend(self.network, images, sparse, dense)
        every = range(len(self.network.mask_decoder.output_hypernetworks_mlps))
        chosen = every[1:] if multimask else every[:1]
        logits = torch.cat([_mask(self.network, attended, upscaled, n) for n in chosen], dim=1)
        quality = self.network.mask_decoder.iou_prediction_head(attended[:, 0])
        check_finite(logits, "SAM")
        check_finite(quality, "SAM")
        return logits.float().flatten(0, 1), quality[:, chosen.start : chosen.stop].float().flatten()

    @torch.inference_mode()
    def enlarge(self, logits: Tensor, shape: tuple[int, int]) -> Tensor:
        """Logits (N, Y, X) on a slice of this shape (Y, X), from those that the decoder gives."""
        if not len(logits):
            return logits.new_zeros((0, *shape))
        height, width = ResizeLongestSide.get_preprocess_shape(*shape, self.image_size)
        enlarged: Tensor = self.network.postprocess_masks(logits[:, None], (height, width), shape)
        return enlarged[:, 0]

    def _logits_alike(
        self, embeddings: Embeddings, prompts: Sequence[Prompt], shape: tuple[int, int]
    ) -> Tensor:
        # Points that pad a prompt would change SAM's answer, so only prompts of one length share a batch.
        sparse, dense = self._encode_prompts(prompts, shape)
        images = torch.from_numpy(embeddings).to(self.device).float()
        low, _ = low_resolution_masks(self.network, images, sparse, dense)
        return self.enlarge(low[:, 0].float(), shape)

    def _encode_prompts(self, prompts: Sequence[Prompt], shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        transform = ResizeLongestSide(self.image_size)
        points = np.stack([prompt.points for prompt in prompts]).astype(np.float64)
        labels = np.stack([prompt.point_labels for prompt in prompts])
        boxes = None
        if prompts[0].box is not None:
            corners = np.array([prompt.box for prompt in prompts], np.float64)
            boxes = torch.as_tensor(
                transform.apply_boxes(corners, tuple(shape)), dtype=torch.float, device=self.device
            )
        moved = torch.as_tensor(
            transform.apply_coords(points, tuple(shape)), dtype=torch.float, device=self.device
        )
        marks = torch.as_tensor(labels, dtype=torch.int, device=self.device)
        sparse, dense = self.network.prompt_encoder(
            points=(moved, marks) if points.size else None, boxes=boxes, masks=None
        )
        return sparse, dense


def low_resolution_masks(
    network: Sam, embeddings: Tensor, sparse: Tensor, dense: Tensor
) -> tuple[Tensor, Tensor]:
    """SAM's single mask for a different image in each row, and the tokens that its IoU is told from.

    Upstream's decoder repeats one image's embedding for its prompts; here each prompt brings its
    own, through the same layers in the same order (Kirillov et al., ICCV 2023, appendix A).

    Args:
        network: the model.
        embeddings: (P, C, h, w), of each prompt's slice.
        sparse: (P, N, C) from the prompt encoder.
        dense: (P, C, h, w) from the prompt encoder.

    Returns:
        Logits (P, 1, 4h, 4w) and IoU tokens (P, C).
    """
    attended, upscaled = _attend(network, embeddings, sparse, dense)
    return _mask(network, attended, upscaled, 0), attended[:, 0]


def _attend(network: Sam, embeddings: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
    """The decoder's tokens (P, 1 + masks + N, C), IoU first, and its image features (P, C / 8, 4h, 4w)."""
    decoder = network.mask_decoder
    tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight], dim=0)
    tokens = torch.cat([tokens[None].expand(len(sparse), -1, -1), sparse], dim=1)
    source = embeddings + dense
    position = network.prompt_encoder.get_dense_pe().expand(len(sparse), -1, -1, -1)
    attended, source_out = decoder.transformer(source, position, tokens)
    count, channels, height, width = source.shape
    image = source_out.transpose(1, 2).view(count, channels, height, width)
    return attended, decoder.output_upscaling(image)


def _mask(network: Sam, attended: Tensor, upscaled: Tensor, number: int) -> Tensor:
    """Logits (P, 1, 4h, 4w) of one of the decoder's masks; 0 is the one for a prompt without doubt."""
    mlp = network.mask_decoder.output_hypernetworks_mlps[number]
    return torch.einsum("pc,pchw->phw", mlp(attended[:, 1 + number]), upscaled)[:, None]


def load_sam(kind: str, checkpoint: str, device: torch.device, image_size: int = 0) -> SamModel:
    """Load SAM ``tiny`` (bundled), or ``vit_b``, ``vit_l``, ``vit_h``, ``medsam`` from a local checkpoint.

    Args:
        kind: the image encoder; ``medsam`` is a ``vit_b`` that is fed otherwise.
        checkpoint: file in segment_anything's format; empty looks for the published name in the models
            folder.
        device: where to run.
        image_size: side of the encoder's input in pixels; 0 is the model's own.

    Raises:
        MissingWeights: when the file is not on this machine.
        BadInput: when it is damaged or holds another model.
    """
    path = sam_path(kind, checkpoint)
    if kind == "tiny":
        network = build_sam(read_config("tiny_sam"))
    else:
        network = sam_model_registry["vit_b" if kind == MEDSAM else kind](checkpoint=None)
    take_state(network, path, f"a SAM {kind}")
    if image_size:
        resize_input(network, image_size)
    feed: Literal["sam", "medsam"] = "medsam" if kind == MEDSAM else "sam"
    return SamModel(network.eval().to(device), device, sha256_of(path), feed)
