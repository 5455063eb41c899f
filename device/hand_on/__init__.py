"""A recording in the formats of others: DICOM, FHIR, parquet; and its way to a server the user names."""
