"""Reads copies that were made by the service, with pydicom, beside their originals, and says what is
wrong with each. Reads a list of {original, copy, reviewed} as JSON from standard input and writes a
list of {faults, uids, days} as JSON. Knows nothing of the service: the table is another project's.
"""

import datetime
import json
import os
import re
import runpy
import sys
from types import SimpleNamespace
import zlib

import pydicom
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.encaps import generate_fragments, parse_basic_offsets
from pydicom.multival import MultiValue
from pydicom.tag import Tag

# Its package would import what only its command needs.
TABLE = "dicomanonymizer/dicom_anonymization_databases/dicomfields_2026c.py"
table = SimpleNamespace(**runpy.run_path(os.path.join(os.environ["PYTHONPATH"], TABLE)))

KEPT_CHARACTERISTICS = {
    Tag(0x0010, 0x2160), Tag(0x0010, 0x1010), Tag(0x0010, 0x0040), Tag(0x0010, 0x2203),
    Tag(0x0010, 0x1020), Tag(0x0010, 0x1030), Tag(0x0010, 0x21C0), Tag(0x0010, 0x21A0),
}
REVIEWED = {Tag(0x0070, 0x0006), Tag(0x0040, 0xA730), Tag(0x0070, 0x0001), Tag(0x0042, 0x0011), Tag(0x0040, 0xB020)}
OWN = {Tag(0x0010, 0x0010), Tag(0x0010, 0x0020)}
FOR_INSTANCE = "2.25."


def plain(tags):
    return {Tag(*tag) for tag in tags if len(tag) == 2}


REMOVED = plain(table.X_TAGS)
EMPTIED = plain(table.Z_TAGS) | plain(table.X_Z_TAGS)
REPLACED = (
    plain(table.D_TAGS) | plain(table.Z_D_TAGS) | plain(table.X_D_TAGS) | plain(table.X_Z_D_TAGS)
)
UIDS = plain(table.U_TAGS)
LISTED = REMOVED | EMPTIED | REPLACED | UIDS


def is_temporal(element):
    return element.VR in ("DA", "TM", "DT") and element.tag not in (
        Tag(0x0010, 0x0030), Tag(0x0010, 0x0032), Tag(0x0016, 0x0077),
    )


def walk(dataset, path=()):
    """Every element at every depth, with where it stands."""
    for tag in dataset.keys():
        element = dataset[tag]
        here = (*path, f"{tag}")
        yield here, element
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from walk(item, (*here, number))


def values(element):
    value = element.value
    if value is None or element.VR == "SQ":
        return []
    several = value if isinstance(value, (MultiValue, list)) else [value]
    return [str(one).strip("\0 ") for one in several]


def day(text):
    return datetime.date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def raw(path):
    """The bytes of the file; of a deflated one as they are unpacked; without its pixel data."""
    with open(path, "rb") as file:
        content = file.read()
    dataset = pydicom.dcmread(path)
    if dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1.99":
        start = 144 + dataset.file_meta.FileMetaInformationGroupLength
        content = content[:start] + zlib.decompress(content[start:], -zlib.MAX_WBITS)
    pixels = dataset.get("PixelData")
    return content.replace(pixels, b"") if pixels else content


def check_pixels(original, copy, faults):
    """The same fragments, but for comments within; and offsets of fragments, or none."""
    before, after = original.get("PixelData"), copy.get("PixelData")
    if before == after:
        return
    if before is None or after is None or not copy.file_meta.TransferSyntaxUID.is_compressed:
        faults.append("other pixel data")
        return
    old, new = list(generate_fragments(before))[1:], list(generate_fragments(after))[1:]
    if [len(one) for one in old] != [len(one) for one in new]:
        faults.append("other fragments")
        return
    for one, other in zip(old, new):
        if one != other and without_comments(one) != without_comments(other):
            faults.append("other pixel data in a fragment")
    starts = [0]
    for one in new:
        starts.append(starts[-1] + 8 + len(one))
    if any(offset not in starts[:-1] for offset in parse_basic_offsets(after)):
        faults.append("offsets of nothing")


def without_comments(stream):
    """A compressed picture with zeros for its comments, application data and what is behind its end."""
    blanked = bytearray(stream)
    scan = stream.find(b"\xff\xda")
    end = stream.find(b"\xff\xd9", scan) if scan >= 0 else stream.rfind(b"\xff\xd9")
    if end >= 0:
        blanked[end + 2:] = bytes(len(stream) - end - 2)
    for found in re.finditer(rb"\xff[\xfe\x64\xe0-\xef]", stream):
        start = found.end()
        end = start + int.from_bytes(stream[start:start + 2], "big")
        blanked[start + 2:end] = bytes(len(blanked[start + 2:end]))
    return bytes(blanked)


def check_head(path, copy, faults):
    with open(path, "rb") as file:
        head = file.read(132)
    if head != bytes(128) + b"DICM":
        faults.append("preamble is not empty")
    meta = copy.file_meta
    if "SOPInstanceUID" in copy and meta.MediaStorageSOPInstanceUID != copy.SOPInstanceUID:
        faults.append("file meta names another instance")
    if "SOPClassUID" in copy and meta.MediaStorageSOPClassUID != copy.SOPClassUID:
        faults.append("file meta names another class")
    if {element.tag.element for element in meta} - {0, 1, 2, 3, 0x10, 0x12, 0x13}:
        faults.append("file meta holds more than it needs")


def check_group_length(path, faults):
    with open(path, "rb") as file:
        content = file.read()
    length = int.from_bytes(content[140:144], "little")
    if content[132:140] != b"\x02\0\0\0UL\x04\0":
        faults.append("no group length")
    at, end = 144, 144 + length
    while at < end:
        if content[at:at + 2] != b"\x02\0":
            faults.append("group length is wrong")
            return
        if content[at + 4:at + 6] == b"OB":
            at += 12 + int.from_bytes(content[at + 8:at + 12], "little")
        else:
            at += 8 + int.from_bytes(content[at + 6:at + 8], "little")
    if at != end or content[at:at + 2] == b"\x02\0":
        faults.append("group length is wrong")


def check_flags(copy, faults):
    if copy.get("PatientIdentityRemoved") != "YES":
        faults.append("PatientIdentityRemoved")
    if copy.get("LongitudinalTemporalInformationModified") != "MODIFIED":
        faults.append("LongitudinalTemporalInformationModified")
    if not copy.get("DeidentificationMethod"):
        faults.append("DeidentificationMethod")
    codes = [
        (item.CodeValue, item.CodingSchemeDesignator)
        for item in copy.get("DeidentificationMethodCodeSequence", [])
    ]
    if codes != [("113100", "DCM"), ("113107", "DCM"), ("113108", "DCM")]:
        faults.append("DeidentificationMethodCodeSequence")
    if not str(copy.PatientName).startswith("Pseudonym^") or not copy.PatientID:
        faults.append("no pseudonym")


def check_element(where, original, copied, reviewed, found):
    """One element of the original, and what stands in its place in the copy, if anything."""
    tag, faults = original.tag, found["faults"]
    name = f"{where[-1]} {keyword_for_tag(tag)}"
    if len(where) == 1 and tag in OWN:
        return
    if copied is None:
        return
    if tag.is_private or tag.group >> 8 in (0x50, 0x60) or tag.element == 0:
        faults.append(f"{name} is still there")
    if reviewed and tag in REVIEWED:
        return
    before, after = values(original), values(copied)
    if tag in UIDS or (tag in LISTED and original.VR == "UI"):
        for old, new in zip(before, after, strict=True):
            if old and not new.startswith(FOR_INSTANCE) and "1.2.840.10008.1.4" not in old:
                faults.append(f"{name} is not a new UID")
            if old:
                found["uids"][old] = new
    elif tag in LISTED and is_temporal(original):
        check_temporal(name, original, before, after, found)
    elif tag in KEPT_CHARACTERISTICS:
        if before != after and tag != Tag(0x0010, 0x1010):
            faults.append(f"{name} was changed")
    elif tag in REMOVED and tag != Tag(0x0008, 0x0201):
        faults.append(f"{name} is still there")
    elif tag in EMPTIED and (any(after) or (copied.VR == "SQ" and len(copied.value) > 0)):
        faults.append(f"{name} is not empty")
    elif tag in REPLACED and any(before) and before == after:
        faults.append(f"{name} is as it was")


def check_temporal(name, original, before, after, found):
    if original.VR == "TM":
        if [text for text in after if text] and before != after:
            found["faults"].append(f"{name} is another time of day")
        return
    for old, new in zip(before, after):
        if original.VR == "DA":
            old = old.replace(".", "")  # as dates were written before DICOM
        if len(old) >= 8 and new:
            try:
                found["days"].add((day(new) - day(old)).days)
            except ValueError:
                found["faults"].append(f"{name} is not a date")
            if old[8:] != new[8:]:
                found["faults"].append(f"{name} is another time of day")


def check_bytes(original, path, kept, reviewed, found):
    """No value of what had to go stands anywhere in the bytes of the copy."""
    content = raw(path)
    for where, element in walk(original):
        if reviewed and any(Tag(tag) in REVIEWED for tag in map(tag_of, where) if tag is not None):
            continue
        if element.tag == Tag(0x0008, 0x0201):  # the time zone stays, as times of day do
            continue
        gone = element.tag in LISTED and element.tag not in KEPT_CHARACTERISTICS
        if not gone and not element.tag.is_private:
            continue
        if element.VR in ("SQ", "OB", "OW", "UN", "TM", "US", "UL", "SS", "SL", "FL", "FD"):
            continue
        for text in values(element):
            if len(text) < 5 or any(text in one for one in kept):
                continue
            if any(form in content for form in encoded(text)):
                found["faults"].append(f"{where[-1]} can still be read")
        if element.VR == "PN":
            for name in element.value if isinstance(element.value, MultiValue) else [element.value]:
                form = getattr(name, "original_string", b"")
                form = form if isinstance(form, bytes) else b""
                if len(form) >= 5 and form in content:
                    found["faults"].append(f"{where[-1]} can still be read as it was written")


def encoded(text):
    for charset in ("utf-8", "latin1"):
        try:
            yield text.encode(charset)
        except UnicodeEncodeError:
            pass


def tag_of(step):
    if isinstance(step, int):
        return None
    return int(step.strip("()").replace(",", ""), 16)


def check(pair):
    found = {"faults": [], "uids": {}, "days": set()}
    faults = found["faults"]
    original = pydicom.dcmread(pair["original"], force=True)
    copy = pydicom.dcmread(pair["copy"])
    reviewed = pair["reviewed"]
    if original.file_meta.TransferSyntaxUID != copy.file_meta.TransferSyntaxUID:
        faults.append("another transfer syntax")
    check_pixels(original, copy, faults)
    check_head(pair["copy"], copy, faults)
    check_group_length(pair["copy"], faults)
    check_flags(copy, faults)
    copied = dict(walk(copy))
    for where, element in copied.items():
        if element.tag.is_private:
            faults.append(f"{where[-1]} is private")
        else:
            dictionary_VR(element.tag)
    kept = {}
    for where, element in walk(original):
        check_element(where, element, copied.get(where), reviewed, found)
        if where in copied and element.tag not in LISTED:
            for text in values(element):
                kept[text] = True
    check_bytes(original, pair["copy"], kept, reviewed, found)
    if len(found["days"]) > 1:
        faults.append("dates were not shifted alike")
    return {**found, "days": sorted(found["days"]), "age": copy.get("PatientAge")}


json.dump([check(pair) for pair in json.load(sys.stdin)], sys.stdout)
