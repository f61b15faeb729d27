"""`facereenact doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from facereenact.cli.options import common_options

if TYPE_CHECKING:
    from facereenact.doctor import Finding

MARKS = {"ok": "[green]ok[/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON, for a bug report or a program.")
@common_options
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check the installation: versions, conflicts, models, codecs, GPU and room.

    Each fault comes with the command that mends it. The exit code is 1 when something must be mended.
    """
    from facereenact.doctor import examine

    findings = examine()
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show(findings)
    ctx.exit(1 if any(finding.status == "fail" for finding in findings) else 0)


def show(findings: list[Finding]) -> None:
    """Print a table of all findings, then the cures, which are for copying and so never wrapped."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("check", "", "found"):
        table.add_column(title)
    for finding in findings:
        table.add_row(escape(finding.name), MARKS[finding.status], escape(finding.detail))
    console = Console()
    console.print(table)
    for finding in findings:
        if finding.cure:
            console.print(f"\n{MARKS[finding.status]} {escape(finding.name)}: {escape(finding.detail)}", soft_wrap=True)
            console.print(f"     {finding.cure}", soft_wrap=True, markup=False, highlight=False)
