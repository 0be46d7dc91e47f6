//! Artifact format v1: write, read, check, export. Knows nothing of jobs, connectors or the database.
