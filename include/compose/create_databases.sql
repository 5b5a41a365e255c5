-- Run once by the postgres image, on an empty volume: a database and an owner for what the sync keeps.
-- Airflow's own database and owner are made by the image itself.
\getenv password RECEIVABLES_DB_PASSWORD
create role receivables login password :'password';
create database receivables owner receivables;
