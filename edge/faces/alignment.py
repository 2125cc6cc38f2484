"""Alignment: from five landmarks to the crop that a network sees.

The transform is the least-squares similarity (rotation, uniform scale, shift; Umeyama, PAMI 1991)
from the landmarks to the points of a canonical frame. Crops that reach over the picture's edge are
padded by repeating its outermost pixels, never shrunk or moved.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.errors import InputError
from edge.faces.canonical import CELEBA, CanonicalFace, CropRegion
from edge.faces.face import Face


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares similarity transform, float64[2, 3], from `source` to `target` (float[N, 2]).

    Raises `InputError` when the source points coincide.
    """
    z = source[:, 0] + 1j * source[:, 1]
    w = target[:, 0] + 1j * target[:, 1]
    zc, wc = z - z.mean(), w - w.mean()
    spread = float(np.sum(np.abs(zc) ** 2))
    if not np.isfinite(spread) or spread < 1e-6:
        raise InputError("the face's landmarks coincide, so it cannot be aligned")
    a = np.sum(np.conj(zc) * wc) / spread
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def face_transform(face: Face, frame: CanonicalFace = CELEBA) -> np.ndarray:
    """Transform from the face's picture to `frame`, float64[2, 3]."""
    return similarity(face.landmarks(), frame.points())


def aligned_picture_transform(
    width_px: int, height_px: int, frame: CanonicalFace = CELEBA
) -> np.ndarray:
    """Transform for a picture that is aligned already (any scale of `frame`), float64[2, 3].

    Used for CelebA's own images where the detector finds no face: the identity but for the scale.
    """
    sx, sy = frame.width_px / width_px, frame.height_px / height_px
    return np.array([[sx, 0.0, 0.5 * (sx - 1)], [0.0, sy, 0.5 * (sy - 1)]])


def warp(
    image_bgr: np.ndarray, transform: np.ndarray, window: CropRegion, size_px: int
) -> np.ndarray:
    """Cut `window` of the frame out of the picture.

    image_bgr: uint8[H, W, 3] or uint8[H, W]; transform: float64[2, 3] from picture to frame.
    Returns uint8[size_px, size_px, 3] (or without the last axis), same colour order. Faces larger
    than twice the crop are halved by area averaging first, so that fine detail does not alias.
    """
    zoom = size_px / window.side_px
    matrix = transform * zoom
    matrix[:, 2] += -zoom * np.array([window.x_px, window.y_px]) + 0.5 * (zoom - 1)
    image, matrix = _reduce(image_bgr, matrix, size_px)
    return cv2.warpAffine(
        image, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def align(
    image_bgr: np.ndarray, face: Face, frame: CanonicalFace, window: CropRegion, size_px: int
) -> np.ndarray:
    """The crop of one face: uint8[size_px, size_px, 3], color order as given."""
    return warp(image_bgr, face_transform(face, frame), window, size_px)


def _reduce(image: np.ndarray, matrix: np.ndarray, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut the region that the crop needs and halve it until its scale is at least 0.5."""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale >= 0.5:
        return image, matrix
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0, 1], [size_px, 0, 1], [0, size_px, 1], [size_px, size_px, 1]])
    reach = inverse @ corners.T
    height, width = image.shape[:2]
    margin = 2.0 / scale
    x0, y0 = np.floor(reach.min(axis=1) - margin).astype(int)
    x1, y1 = np.ceil(reach.max(axis=1) + margin).astype(int)
    x0, x1 = int(np.clip(x0, 0, width - 1)), int(np.clip(x1, 1, width))
    y0, y1 = int(np.clip(y0, 0, height - 1)), int(np.clip(y1, 1, height))
    image = image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    matrix = matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ np.array([x0, y0])
    while scale < 0.5 and min(image.shape[:2]) >= 4:
        halved_px = ((image.shape[1] + 1) // 2, (image.shape[0] + 1) // 2)
        fx, fy = image.shape[1] / halved_px[0], image.shape[0] / halved_px[1]
        image = cv2.resize(image, halved_px, interpolation=cv2.INTER_AREA)
        # a pixel centre c of the halved image lies at f * (c + 0.5) - 0.5 of the larger one
        matrix[:, 2] += matrix[:, :2] @ np.array([0.5 * fx - 0.5, 0.5 * fy - 0.5])
        matrix[:, 0] *= fx
        matrix[:, 1] *= fy
        scale *= 2
    return image, matrix
