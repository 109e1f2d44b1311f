"""A local image model, asked through pipes."""

from __future__ import annotations

import os
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from ...errors import InvalidRequest, ModelError
from ..frames import Frame
from ..slots import FairSlots
from ..worker import Died, TookTooLong, Worker
from .job import DiffusionJob


class DiffusionModel:
    """One folder of weights, and the process that holds it. Jobs are done one at a time; others wait their turn.

    The process is started by the first job, and again by the next one when it has died.
    """

    def __init__(self, name: str, weights: Path, *, threads: int, timeout: float, slots: FairSlots) -> None:
        """Describe the model; nothing is started yet.

        Args:
            name: what to call it.
            weights: the folder of an image model in OpenVINO's format.
            threads: CPU threads; 0 means one for each core that this process may use.
            timeout: seconds that a job may take, the loading of the model included.
            slots: one slot, and how many jobs may wait for it.
        """
        self._weights = weights
        self._slots = slots
        config = {"weights": str(weights), "threads": threads or len(os.sched_getaffinity(0))}
        self._worker = Worker("retinue.inference.diffusion.child", config, name=name, timeout=timeout)

    @property
    def pid(self) -> int | None:
        """The id of its process, while there is one."""
        return self._worker.pid

    async def close(self) -> None:
        """End the process, and with it a job that is under way."""
        await self._worker.close()

    async def images(self, job: DiffusionJob, parts: list[bytes], caller: str) -> list[bytes]:
        """The images of a job, encoded as it says.

        Args:
            job: what to make.
            parts: the image that the request brings, and the mask.
            caller: whose job it is, for the fair queue.

        Raises:
            InvalidRequest: the model or its limits do not allow them.
            ModelBusy: too many jobs wait.
            ModelError: the model cannot be loaded, took too long, failed or died.
        """
        if find_spec("openvino_genai") is None:
            raise ModelError("Local image models need the extra `images`: pip install 'retinue[images]'.")
        if not (self._weights / "model_index.json").is_file():
            raise ModelError(f"{self._weights} is not a folder with an image model: it has no model_index.json.")
        await self._slots.acquire(caller)
        try:
            answer = await self._worker.ask(Frame(asdict(job), parts))
        except TookTooLong as error:
            raise ModelError(
                f"The image model was ended: {error} (setting `image_timeout`). Ask for fewer or smaller images.",
                status=503,
            ) from error
        except Died as error:
            raise ModelError(f"The image model broke off: {error}") from error
        finally:
            self._slots.release()
        if "refused" in answer.head:
            raise InvalidRequest(answer.head["refused"], param=answer.head["param"], code="invalid_value")
        if "failed" in answer.head:
            raise ModelError(f"The image model failed: {answer.head['failed']}")
        return list(answer.parts)
