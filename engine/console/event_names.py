"""What trigger events mean, in a word or two, for people who read lists.

Source: HL7 v2.5.1 table 0003.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

EVENT_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "A01": "Admit",
        "A02": "Transfer",
        "A03": "Discharge",
        "A04": "Register",
        "A05": "Pre-admit",
        "A06": "Outpatient to inpatient",
        "A07": "Inpatient to outpatient",
        "A08": "Update",
        "A11": "Cancel admit",
        "A12": "Cancel transfer",
        "A13": "Cancel discharge",
        "A18": "Merge",
        "A24": "Link",
        "A28": "Add person",
        "A31": "Update person",
        "A34": "Merge",
        "A37": "Unlink",
        "A40": "Merge",
        "A45": "Move visit",
        "A47": "Change identifier",
        "O01": "Order",
        "O09": "Pharmacy order",
        "O11": "Pharmacy order",
        "O19": "General order",
        "O21": "Laboratory order",
        "O23": "Imaging order",
        "P01": "Add account",
        "P03": "Charge",
        "P05": "Update account",
        "R01": "Result",
        "R22": "Specimen result",
        "R30": "Point-of-care result",
        "S12": "Book appointment",
        "S13": "Reschedule",
        "S14": "Change appointment",
        "S15": "Cancel appointment",
        "S26": "No show",
        "T01": "Document notice",
        "T02": "Document",
        "T04": "Document status",
        "T06": "Document addendum",
        "T08": "Document edit",
        "T10": "Document replacement",
        "T11": "Document cancel",
        "V04": "Vaccination",
        "M02": "Staff",
        "M05": "Location",
    }
)
