"""HL7's v2-to-FHIR guide as a yardstick: what a Bundle should hold of a message."""
