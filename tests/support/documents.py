"""An HTML page taken apart."""

import base64
import io
import json
import re
from html.parser import HTMLParser

from PIL import Image


def opened(address):
    """The picture of a data address."""
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


class Document(HTMLParser):
    """Elements of a page by tag, the ids and addresses in it, and its words outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.ids, self.scripts, self.words = [], [], [], {}, []
        self._inside = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.addresses += [found[name] for name in ("src", "href") if name in found]
        self.ids += [found["id"]] if "id" in found else []
        self._inside = (tag, found.get("id")) if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside = None

    def handle_data(self, data):
        if self._inside is None:
            self.words.append(data)
        elif self._inside[0] == "script":
            self.scripts[self._inside[1]] = data

    @property
    def text(self):
        """The words on one line."""
        return re.sub(r"\s+", " ", " ".join(self.words))

    def viewer(self, index):
        """The viewer's document of a case."""
        return json.loads(self.scripts[f"case-{index}"])
