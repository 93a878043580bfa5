"""Whether the pages of this repository lead where they say: called by .ci/run, and by hand with any Python 3.

Of every Markdown file: each relative link leads to a file that is there, and to a heading of it where it names one; each
path in backticks that begins with a folder of the repository is there; a page of a documentation catalogue (*.docc) has
less than 200 lines; the README, which is a front door, at most 12,000 bytes. Prints what is wrong, a line each, and ends with 1.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MOST_LINES = 200
MOST_README_BYTES = 12_000
# Where files of the repository begin; what tools make, such as .build, is not named here.
FOLDERS = ("Sources/", "Tests/", "docker/", "config/", ".ci/", ".github/", ".devcontainer/")

LINK = re.compile(r"(?<!\!)\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(<?([^()<>\s]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)", re.M)
CODE = re.compile(r"(`+)(.+?)\1", re.S)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")


def without_blocks(text):
    """The text with the lines of code blocks emptied, so that lines keep their numbers."""
    kept, fence = [], None
    for line in text.split("\n"):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if fence:
            if mark and mark[1].startswith(fence):
                fence = None
            kept.append("")
        elif mark:
            fence = mark[1]
            kept.append("")
        else:
            kept.append(line)
    return "\n".join(kept)


def anchors(text):
    """The names that a forge gives a page's headings."""
    found, counts = set(), {}
    for line in without_blocks(text).split("\n"):
        heading = HEADING.match(line)
        if not heading:
            continue
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.add(f"{name}-{counts[name]}" if name in counts else name)
        counts[name] = counts.get(name, 0) + 1
    return found


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def problems(page, text):
    body = without_blocks(text)
    # A link within backticks is an example; a path within backticks may be a link's text.
    prose = CODE.sub(lambda code: " " if "](" in code[2] else code[0], body)
    for link in LINK.finditer(prose):
        target = link[1] or link[2]
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        where = f"{page.relative_to(ROOT)}:{line_of(prose, link.start())}"
        if ROOT != file and ROOT not in file.parents:
            yield f"{where}: {target} leads out of the repository"
        elif not file.exists():
            yield f"{where}: {target} leads nowhere"
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
            yield f"{where}: {target} names no heading of its page"
    for code in CODE.finditer(body):
        path = code[2].split()[0] if code[2].split() else ""
        if path.startswith(FOLDERS) and not re.search(r"[*<>{}…]", path) and not (ROOT / path).exists():
            yield f"{page.relative_to(ROOT)}:{line_of(body, code.start())}: there is no {path}"
    size = len(text.encode())
    if page == ROOT / "README.md" and size > MOST_README_BYTES:
        yield f"README.md: {size} bytes, and a front door has at most {MOST_README_BYTES}"
    lines = len(text.splitlines())
    if page.parent.suffix == ".docc" and lines >= MOST_LINES:
        yield f"{page.relative_to(ROOT)}: {lines} lines, and a page has less than {MOST_LINES}"


def main():
    pages = sorted(
        page
        for page in ROOT.rglob("*.md")
        if not {".build", ".git", "node_modules"} & set(page.relative_to(ROOT).parts)
    )
    found = [problem for page in pages for problem in problems(page, page.read_text(encoding="utf-8"))]
    for problem in found:
        print(problem)
    print(f"{len(pages)} pages, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
