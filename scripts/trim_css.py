"""Cut Tabler down to what the pages use; imported by scripts/vendor."""  # noqa: INP001

# Tabler's whole stylesheet is 79 KB gzipped. A selector is kept when every class in
# it belongs to one of these families (the word before the first hyphen) and holds
# none of the dropped words; then what nothing refers to any more is dropped.
FAMILIES = (
    "active align badge border btn card clearfix col container d disabled flex "
    "form fs fw g gap gx gy h1 h2 h3 h4 h5 h6 hr input invalid justify kbd lead list "
    "m mb me ms mt mx my order overflow p pb pe position ps pt px py required rounded "
    "row show small sr start stretched subheader table text top visually w wrap"
)
DROPPED = (
    "azure cyan indigo lime orange pink purple teal black facebook twitter linkedin "
    "google youtube vimeo dribbble github instagram pinterest vk rss flickr bitbucket "
    "tabler xxl gradient rtl navbar dropdown modal offcanvas toast carousel accordion "
    "stamp chart ribbon rotate img floating colorinput imagecheck selectgroup "
    "vertical sponsor countup animated print ltn range brand sidebar fluid masonry "
    "vcenter timeline avatar tracking placeholder flags payment social"
)
# Parts that need Tabler's script, and right-to-left.
DROPPED_ATTRIBUTES = ("[data-vc", "[dir=rtl]", "navbar-theme", "[data-bs-toggle")


def split_rules(css: str) -> list[tuple[str, str]]:
    """Cut a stylesheet into (prelude, block) pairs; the block keeps no outer braces."""
    rules, at, start = [], 0, 0
    while at < len(css):
        char = css[at]
        if css.startswith("/*", at):
            end = css.index("*/", at) + 2
            css = css[:at] + css[end:]
            continue
        if char in "\"'":
            at = css.index(char, at + 1) + 1
            continue
        if char == ";":
            rules.append((css[start : at + 1].strip(), ""))
            start = at + 1
        elif char == "{":
            end = closing_brace(css, at)
            rules.append((css[start:at].strip(), css[at + 1 : end]))
            at = end
            start = end + 1
        at += 1
    return rules


def closing_brace(css: str, opening: int) -> int:
    """Return the index of the brace that closes the one at `opening`."""
    depth, at = 0, opening
    while True:
        char = css[at]
        if char in "\"'":
            at = css.index(char, at + 1)
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1


def split_selectors(prelude: str) -> list[str]:
    """Cut a selector list at its outer commas."""
    parts, depth, current = [], 0, ""
    for char in prelude:
        depth += (char in "([") - (char in ")]")
        if char == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [*parts, current]


def classes(selector: str) -> set[str]:
    """Return the class names a selector asks for, those inside :not() left out."""
    found, depth, at = set(), 0, 0
    while at < len(selector):
        if selector.startswith(":not(", at):
            depth += 1
            at += 5
            continue
        char = selector[at]
        if depth:
            depth += (char == "(") - (char == ")")
        elif char == ".":
            end = at + 1
            while end < len(selector) and (
                selector[end].isalnum() or selector[end] in "-_\\"
            ):
                end += 2 if selector[end] == "\\" else 1
            found.add(selector[at + 1 : end])
            at = end
            continue
        at += 1
    return found


def is_wanted(selector: str) -> bool:
    """Whether every class of the selector is one this product may use."""
    if any(part in selector for part in DROPPED_ATTRIBUTES):
        return False
    for name in classes(selector):
        words = name.split("-")
        if words[0] not in FAMILIES.split():
            return False
        if not set(words).isdisjoint(DROPPED.split()):
            return False
    return True


def trim(css: str) -> str:
    """Drop the rules no page of this product can match."""
    kept = []
    for prelude, block in split_rules(css):
        if not block:
            if not prelude.startswith("@charset"):
                kept.append(prelude)
        elif prelude.startswith(("@media", "@supports")):
            inner = trim(block)
            if inner and "print" not in prelude:
                kept.append(f"{prelude}{{{inner}}}")
        elif prelude.startswith("@"):
            kept.append(f"{prelude}{{{block}}}")
        else:
            selectors = [s for s in split_selectors(prelude) if is_wanted(s)]
            if selectors:
                kept.append(f"{','.join(selectors)}{{{block}}}")
    return "".join(kept)


def split_declarations(block: str) -> list[str]:
    """Cut a block at its outer semicolons."""
    parts, depth, quote, current = [], 0, "", ""
    for char in block:
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        else:
            depth += (char == "(") - (char == ")")
        if char == ";" and not quote and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += char
    return [part for part in [*parts, current] if part.strip()]


def drop_unread(css: str, whole: str) -> str:
    """Drop custom properties, @keyframes and @property that `whole` never reads."""
    kept = []
    for prelude, block in split_rules(css):
        if prelude.startswith("@"):
            name = prelude.rpartition(" ")[2].strip()
            if prelude.startswith(("@media", "@supports")):
                inner = drop_unread(block, whole)
                kept.append(f"{prelude}{{{inner}}}" if inner else "")
            elif whole.count(name) > 1:
                kept.append(f"{prelude}{{{block}}}" if block else prelude)
            continue
        declarations = [
            one
            for one in split_declarations(block)
            if not one.strip().startswith("--") or is_read(one, whole)
        ]
        if declarations:
            kept.append(f"{prelude}{{{';'.join(declarations)}}}")
    return "".join(kept)


def is_read(declaration: str, whole: str) -> bool:
    """Whether something reads the custom property that is declared."""
    name = declaration.partition(":")[0].strip()
    return any(f"var({name}{end}" in whole for end in "), ")


def shrink(css: str, own: str) -> str:
    """Trim, and drop what nothing reads, until nothing changes."""
    css = trim(css)
    while True:
        smaller = drop_unread(css, css + own)
        if smaller == css:
            return css
        css = smaller
