"""Messages to begin with: invented ones, and those beside the site's tests."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

_HEAD: Final = "MSH|^~\\&|HIS|GENERAL|INTEROP|GENERAL|20260310142500+0000||"
_ANN: Final = (
    "PID|1||700123^^^GENHOSP^MR||Thistlewood^Marigold^Ann||19680529|F|||"
    "12 Imaginary Lane^^Samplebury^VT^05999"
)
INVENTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Admit": "\n".join(
            (
                f"{_HEAD}ADT^A01^ADT_A01|SMP0001|P|2.5.1",
                "EVN|A01|20260310142500+0000",
                _ANN,
                "PV1|1|I|2WEST^214^A^GENERAL||||1002^Stethos^Oscar|||MED||||||||||V88001",
            )
        ),
        "Result": "\n".join(
            (
                f"{_HEAD}ORU^R01^ORU_R01|SMP0002|P|2.5.1",
                _ANN,
                "OBR|1|P1|F1|24323-8^Metabolic panel^LN|||20260310||||||||||||||||||F",
                "OBX|1|NM|GLU^Glucose^L||98|mg/dL|70-99|N|||F|||20260310141500+0000",
            )
        ),
        "Merge": "\n".join(
            (
                f"{_HEAD}ADT^A40^ADT_A39|SMP0003|P|2.5.1",
                "EVN|A40|20260310142500+0000",
                _ANN,
                "MRG|700124^^^GENHOSP^MR",
            )
        ),
    }
)
"""Name of the button: message, segments on lines."""

_MOST: Final = 40


def of_site(folder: Path) -> Mapping[str, Path]:
    """Return the message files beside the site's tests, by name."""
    files = sorted((folder / "tests").glob("*.hl7"))[:_MOST]
    return {each.name: each for each in files}
