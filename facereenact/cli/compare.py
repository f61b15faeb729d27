"""`facereenact compare`."""

from __future__ import annotations

from pathlib import Path

import click

from facereenact.cli.options import common_options

COLOURS = {"better": "green", "worse": "red"}


@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Also write it: .json or .html.")
@click.option("--all", "show_all", is_flag=True, help="Show every metric, also those without a verdict.")
@common_options
def compare(a: Path, b: Path, output: Path | None, show_all: bool) -> None:
    """Set two reports of evaluate side by side.

    A and B are folders of reports over the same clips. An interval of 95 % of the difference comes from drawing the
    clips anew 10,000 times; B is better or worse where the interval leaves no doubt.
    """
    from rich.table import Table

    from facereenact.cli.evaluate_output import print_whole
    from facereenact.evaluation.comparing import compare as run
    from facereenact.evaluation.comparison_html import HEADER, lines_of_all, row
    from facereenact.evaluation.report import load_report

    comparison = run(load_report(a), load_report(b))
    for warning in comparison.warnings:
        click.secho(f"warning: {warning}", fg="yellow", err=True)
    if output is not None:
        comparison.save(output)
    table = Table(box=None, pad_edge=False, title=f"{len(comparison.clips)} clips, {comparison.protocol}")
    for title in HEADER:
        table.add_column(title, justify="left" if title == "metric" else "right", no_wrap=True)
    for each in comparison.differences:
        if show_all or each.verdict in ("better", "worse"):
            table.add_row(*row(each), style=COLOURS.get(each.verdict))
    if table.row_count:
        print_whole(table)
    else:
        click.echo("no metric differs beyond doubt (--all shows them)")
    for line in lines_of_all(comparison):
        click.echo(line)
    if comparison.left_out:
        click.echo(f"left out, as only one report has them: {', '.join(comparison.left_out)}")
    if output is not None:
        click.echo(f"written   {output}")
