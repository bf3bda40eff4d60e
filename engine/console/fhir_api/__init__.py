"""The FHIR R4 side of the patient index: ``$match``, PIXm, PDQm, read."""
