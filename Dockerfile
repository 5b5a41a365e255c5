# Airflow with the packages and the code of the sync, and nothing else. docs/image.md: what it is made of, and how that is
# renewed.
FROM python:3.12-slim-trixie@sha256:229a2c5bfa27522db7815ea81f9bed70af17ccb9de9fc7ad142b1877b5830d36 AS base

FROM base AS packages
COPY requirements.txt .
# Nothing is built: a package without a ready-made file for this machine would be refused, as would any other file than
# the one that was pinned.
RUN python -m venv --without-pip /opt/packages \
    && pip --python /opt/packages/bin/python install --no-cache-dir --compile --no-deps --require-hashes \
        --only-binary :all: --requirement requirements.txt

FROM base
# What runs needs no installer.
RUN pip uninstall --yes pip && rm -r /usr/local/lib/python3.*/ensurepip \
    && useradd --uid 50000 --gid 0 --home-dir /opt/airflow --no-create-home airflow
COPY --from=packages /opt/packages /opt/packages
COPY include/compose/entrypoint.sh /entrypoint
COPY include /opt/airflow/include
COPY plugins /opt/airflow/plugins
COPY dags /opt/airflow/dags
ENV AIRFLOW_HOME=/opt/airflow
ENV PATH=/opt/packages/bin:/usr/local/bin:/usr/bin:/bin
# The prewarmed imports of the workers are in airflow_config, the connection type `quickbooks` is in provider.
ENV PYTHONPATH=/opt/airflow:/opt/airflow/include/airflow_config:/opt/airflow/include/provider
WORKDIR /opt/airflow
# Airflow would write its defaults down where there is no airflow.cfg. A volume is made with the owner of the folder that
# it covers.
RUN touch airflow.cfg && python -m compileall -q include plugins dags && install --directory --owner=airflow books logs
USER 50000:0
ENTRYPOINT ["dumb-init", "--", "/entrypoint"]
