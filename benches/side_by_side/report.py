"""The result as Markdown and as JSON: medians and spread of the rounds, ratios to dbferry and to the floor."""

import json
import os
from statistics import median

FIELDS = ("wall", "cpu", "mysql_cpu", "postgres_cpu", "peak_megabytes")


def summary(records):
    """Of one tool and data set: medians, or the error that it ended with."""
    good = [record for record in records if not record.get("error") and not record["faults"]]
    bad = [record for record in records if record.get("error") or record["faults"]]
    if bad or not good:
        first = bad[0] if bad else {"error": "no round"}
        return {"error": first.get("error") or "incomplete: " + "; ".join(first["faults"]), "rounds": len(records)}
    result = {name: median(record[name] for record in good) for name in FIELDS}
    result["least"], result["most"] = min(r["wall"] for r in good), max(r["wall"] for r in good)
    result["rounds"], result["moved"] = len(good), good[0]["moved"]
    for name in ("send_wall", "receive_wall"):
        if name in good[0]:
            result[name] = median(record[name] for record in good)
    return result


def tables(sets, tools, records):
    """For each data set its rows: tool -> summary, with ratios."""
    result = {}
    for one in sets:
        rows = {}
        for tool in tools:
            own = [record for record in records if record["set"] == one.name and record["tool"] == tool]
            if own:
                rows[tool] = summary(own)
        for row in rows.values():
            if "wall" in row:
                row["rows_per_second"] = one.rows / row["wall"] if row["wall"] else None
                for name in ("dbferry", "floor"):
                    base = rows.get(name, {}).get("wall")
                    row[f"to_{name}"] = row["wall"] / base if base else None
        result[one.name] = rows
    return result


def markdown(about, sets, tools, records, versions):
    lines = [about["machine"], "", about["servers"], "", about["settings"], ""]
    all_rows = tables(sets, tools, records)
    for one in sets:
        rows = all_rows[one.name]
        if not rows:
            continue
        lines += [f"### {one.name}: {one.rows:,} rows, {about['megabytes'][one.name]:,} MB in MariaDB", ""]
        lines += ["| tool | wall s (least to most) | rows/s | : dbferry | : floor | its CPU s | MariaDB CPU s | PostgreSQL CPU s | peak MB | carried |",
                  "|---|---|---|---|---|---|---|---|---|---|"]
        for name, row in rows.items():
            if "error" in row:
                error = row["error"].replace("|", "\\|").replace("\n", " ")
                lines.append(f"| {name} | - | | | | | | | | {error[:300]} |")
                continue
            ratio = lambda key: f"{row[key]:.2f}" if row.get(key) else ""
            own = (f"{row['cpu']:.2f}", f"{row['peak_megabytes']:.0f}") if name != "floor" else ("", "")
            lines.append(
                f"| {name} | {row['wall']:.2f} ({row['least']:.2f} to {row['most']:.2f}) | {row['rows_per_second']:,.0f} | {ratio('to_dbferry')} | "
                f"{ratio('to_floor')} | {own[0]} | {row['mysql_cpu']:.2f} | {row['postgres_cpu']:.2f} | {own[1]} | {row['moved']} |"
            )
        floor = rows.get("floor", {})
        if "send_wall" in floor:
            lines += ["", f"Floor: both servers' processor time on {os.cpu_count()} cores; sending alone took {floor['send_wall']:.2f} s, "
                          f"receiving files and building keys {floor['receive_wall']:.2f} s."]
        if one.name == "small" and "wall" in rows.get("dbferry", {}):
            each = {name: row["wall"] / len(one.tables) * 1000 for name, row in rows.items() if "wall" in row}
            lines += ["", "Milliseconds a table: " + ", ".join(f"{name} {value:.1f}" for name, value in each.items()) + "."]
        lines.append("")
    lines += ["| tool | version | what it does |", "|---|---|---|"]
    lines += [f"| {name} | {versions[name]} | {text} |" for name, text in about["tools"].items() if name in versions]
    return "\n".join(lines) + "\n"


def write(folder, about, sets, tools, records, versions):
    text = markdown(about, sets, tools, records, versions)
    with open(os.path.join(folder, "results.md"), "w") as file:
        file.write(text)
    with open(os.path.join(folder, "results.json"), "w") as file:
        json.dump({"about": about, "versions": versions, "tables": tables(sets, tools, records), "rounds": records}, file, indent=1)
    return text
