"""`edge-us doctor`: what this machine has, what will be used and why, and how to get the rest."""

from __future__ import annotations

import json

import typer


def doctor_command(as_json: bool = typer.Option(False, "--json", help="The same for programs.")) -> None:
    """Show what this machine has, what a run will use and why; exit code 0 where a run would work."""
    from edge_us.doctor import page
    from edge_us.doctor.diagnosis import diagnose
    from edge_us.doctor.facts import gather_facts

    facts = gather_facts()
    diagnosis = diagnose(facts)
    if as_json:
        typer.echo(json.dumps(page.as_json(facts, diagnosis), indent=2))
    else:
        typer.echo(page.as_text(facts, diagnosis), nl=False)
    if diagnosis.problems:
        raise typer.Exit(diagnosis.exit_code)
