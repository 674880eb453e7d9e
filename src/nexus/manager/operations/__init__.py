"""Promises: what was asked for, how far it is, what became of it."""

from nexus.manager.operations.models import Operation, Status
from nexus.manager.operations.schemas import Created, Done, OperationBody, Wait
from nexus.manager.operations.service import Operations

__all__ = ["Created", "Done", "Operation", "OperationBody", "Operations", "Status", "Wait"]
