# Airflow with the packages and the code of the sync.
FROM apache/airflow:3.3.2-python3.12

COPY --chown=airflow:root requirements.txt /opt/airflow/requirements.txt
RUN pip install --no-cache-dir --requirement /opt/airflow/requirements.txt

COPY --chown=airflow:root include /opt/airflow/include
COPY --chown=airflow:root plugins /opt/airflow/plugins
COPY --chown=airflow:root dags /opt/airflow/dags
# A volume is made with the owner of the folder that it covers.
RUN mkdir -p /opt/airflow/books && python -m compileall -q /opt/airflow/include /opt/airflow/plugins /opt/airflow/dags

# The prewarmed imports of the workers are in airflow_config, the connection type `quickbooks` is in provider.
ENV PYTHONPATH=/opt/airflow:/opt/airflow/include/airflow_config:/opt/airflow/include/provider
