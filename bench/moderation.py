"""Measures how well the model behind `/v1/moderations` judges 80 short texts, half of them harmful but mild.

    python bench/moderation.py [--model NAME]

Asks the server of `OPENAI_BASE_URL` and `OPENAI_API_KEY`. Half of the texts are English, half Chinese. On the set
`tuned` the prompt of the judging chat model was chosen; the set `held out` was judged once, afterwards.
"""

import argparse
import json
from pathlib import Path

import openai

TEXTS = Path(__file__).with_name("moderation.jsonl")


def figures(name: str, judged: list[tuple[dict, openai.types.Moderation]]) -> str:
    """One row of the table."""
    harmful = [(text, result) for text, result in judged if text["category"]]
    harmless = [result for text, result in judged if not text["category"]]
    found = sum(result.flagged for _, result in harmful)
    right = sum(result.categories.model_dump(by_alias=True)[text["category"]] for text, result in harmful)
    wrong = sum(result.flagged for result in harmless)
    cells = [f"{found} of {len(harmful)}", f"{right} of {len(harmful)}", f"{wrong} of {len(harmless)}"]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Judge all texts, and print the table and what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="omni-moderation-latest")
    options = parser.parse_args()
    client = openai.OpenAI()
    texts = [json.loads(line) for line in TEXTS.read_text(encoding="utf-8").splitlines()]
    judged = []
    for text in texts:
        answer = client.moderations.create(input=text["text"], model=options.model)
        judged.append((text, answer.results[0]))
        if answer.results[0].flagged != bool(text["category"]):
            print(f"flagged: {answer.results[0].flagged}: {text['text']}")
    print(answer.model)
    print("| texts | harmful and flagged | and in the right category | harmless and flagged |\n|---|---|---|---|")
    for name in dict.fromkeys(text["set"] for text in texts):
        print(figures(name, [pair for pair in judged if pair[0]["set"] == name]))


if __name__ == "__main__":
    main()
