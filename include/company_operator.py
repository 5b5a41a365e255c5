"""Tasks that work for companies, with a button that leads from each to its company's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import BaseOperatorLink
from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from include.dag_defaults import company_page, pages_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import BaseOperator
    from airflow.sdk.bases.decorator import TaskDecorator
    from airflow.sdk.types import TaskInstanceKey


class CompanyLink(BaseOperatorLink):
    """Leads to the page of the task's company; where it works for several, to the list of all companies."""

    @property
    def name(self) -> str:
        """What the button says."""
        return "QuickBooks company"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the page's address; the worker asks for it once the task has ended."""
        batch = getattr(operator, "op_kwargs", {}).get("batch", [])
        return company_page(batch[0]) if len(batch) == 1 else pages_url()


class CompanyOperator(DecoratedOperator, PythonOperator):
    """A Python function that works for the companies of its argument ``batch``."""

    template_fields = ("op_args", "op_kwargs")
    operator_extra_links = (CompanyLink(),)
    custom_operator_name = "@company_task"

    def __init__(self, *, python_callable: Callable[..., Any], **arguments: Any) -> None:
        upstream = {
            "python_callable": python_callable,
            "op_args": arguments.get("op_args"),
            "op_kwargs": arguments.get("op_kwargs"),
        }
        super().__init__(python_callable=python_callable, kwargs_to_upstream=upstream, **arguments)


def company_task(**arguments: Any) -> TaskDecorator:
    """
    Make a function with an argument ``batch``, a list of company ids, a task.

    :param arguments: of the operator.
    """
    labelled = {"map_index_template": "{{ task.op_kwargs['batch'] | join(', ') }}"} | arguments
    return task_decorator_factory(decorated_operator_class=CompanyOperator, **labelled)
