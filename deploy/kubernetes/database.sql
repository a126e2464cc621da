-- ROMA's own role and database, made when PostgreSQL starts for the first time: no policy parts the tenants for a
-- superuser. psql reads the password from the environment.
\getenv password DATABASE_PASSWORD
CREATE ROLE roma LOGIN PASSWORD :'password';
CREATE DATABASE roma OWNER roma;
