"""What goes wrong with a request, as JSON with a code and a reason."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Final

import structlog
from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as RoutingError

from salus_chain.errors import DecodeError, Rejected, Stopped
from salus_chain.node.http.media import JSON
from salus_chain.views import Refusal, to_json

LATER: Final = frozenset({"too_fast", "too_many_waiting", "mempool_full"})  # not wrong, only not now
HANDLED: Final = (Rejected, DecodeError, RequestValidationError, RoutingError, TimeoutError, Stopped)
FRAMES: Final = 6  # that the log shows of an error; the outer ones are FastAPI's

log = structlog.get_logger()


class Problem(HTTPException):
    """A request that gets no answer of its own."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(status, reason)
        self.code = code


class Refusals:
    """Answers to requests that failed. `told` hears the code of each."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told

    async def handle(self, request: Request, error: Exception) -> Response:
        """FastAPI's handler of the errors in HANDLED."""
        return self.answer(error, request.scope["path"])

    def answer(self, error: Exception, path: str) -> Response:
        problem = _problem(error, path)
        self._told(problem.code)
        headers = {"retry-after": "1"} if problem.status_code in (429, 503) else None
        return Response(to_json(Refusal(problem.code, problem.detail)), problem.status_code, headers, JSON)


def _problem(error: Exception, path: str) -> Problem:
    match error:
        case Problem():
            return error
        case Rejected():
            return Problem(429 if error.code in LATER else 409, error.code, error.reason)
        case DecodeError():
            return Problem(409, "malformed", str(error))
        case RequestValidationError():
            return Problem(409, "malformed", "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors()))
        case RoutingError(status_code=404):
            return Problem(404, "unknown_path", f"{path} is not known; see /openapi.json")
        case RoutingError(status_code=405):
            return Problem(405, "wrong_method", f"{path} does not take this method; see /openapi.json")
        case TimeoutError():
            return Problem(503, "timeout", "the answer took too long; try again, or ask another validator")
        case Stopped():
            log.error("request failed", path=path, reason=str(error))
            return Problem(
                503, "damaged", "its disk fails or is damaged; ask another validator, and tell this one's hospital"
            )
    log_failure(error, path)
    return Problem(500, "internal", "an error of this validator, which its log tells of")


def log_failure(error: Exception, path: str) -> None:
    """Our innermost frames, without the values of their names, which are clients' data."""
    trace = "".join(traceback.format_exception(error, limit=-FRAMES))
    log.error("request failed", path=path, error=type(error).__name__, trace=trace)
