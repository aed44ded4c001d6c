"""What live pages follow: a version of each topic. Imports the database and models."""
