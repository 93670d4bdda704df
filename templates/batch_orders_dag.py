"""The nightly job as an Airflow DAG: it calls the command line, on a worker that has the ledger and the inbox.

batch-orders needs an environment of its own, apart from Airflow's packages: /opt/batch-orders here. The folder
/var/lib/batch-orders holds batch-orders.toml, the ledger, and .env (chmod 600) with the login and whom to notify; all
of them are the worker's user's.

No retries, on purpose. A sheet that needs a person has been moved to attention/ by the first try; a second one would
find nothing, end well, and turn the task green. What stopped early goes on the next night, or when the task is run
again.
"""

from __future__ import annotations

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id="batch_orders",
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
):
    BashOperator(
        task_id="inbox",
        bash_command=(
            "cd /var/lib/batch-orders && exec /opt/batch-orders/bin/batch-orders inbox /srv/batch-orders/inbox"
        ),
        retries=0,
    )
