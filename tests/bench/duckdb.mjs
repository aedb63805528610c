// SPDX-License-Identifier: Apache-2.0
// Copyright The hiwari authors
// duckdb.mjs - the same questions to DuckDB, one step per process, so that steps can be interleaved with ours.
//
//     node duckdb.mjs memory|parquet|sort CSV SQL OUT THREADS
//
// memory: all columns of all rows into a temporary table; parquet: into the file OUT, in order. Both read a
// table that was loaded and sorted before the clock starts. sort: CSV to a sorted parquet file OUT.
// Prints one JSON object with the seconds of the statement alone. Started in the folder that has node_modules.
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const { DuckDBInstance, version } = createRequire(path.join(process.cwd(), 'package.json'))('@duckdb/node-api');

const TYPES = {
  race_date: 'DATE', finish: 'INTEGER', body_weight: 'INTEGER', weight: 'DOUBLE', odds: 'DOUBLE', time_s: 'DOUBLE',
};
const ORDER = 'order by race_date, race_id, draw';

const quoted = (text) => `'${text.replaceAll("'", "''")}'`;

const [step, csv, sqlFile, out, threads] = process.argv.slice(2);
const features = readFileSync(sqlFile, 'utf8').replace('{where}', 'true');
const types = Object.entries(TYPES).map(([name, type]) => `${quoted(name)}: ${quoted(type)}`).join(', ');
const rows = `select * from read_csv(${quoted(csv)}, types = {${types}}) ${ORDER}`;
const statements = {
  memory: `create temp table result as ${features}`,
  parquet: `copy (${features} ${ORDER}) to ${quoted(out)} (format parquet)`,
  sort: `copy (${rows}) to ${quoted(out)} (format parquet)`,
};

const connection = await (await DuckDBInstance.create(':memory:', { threads })).connect();
if (step !== 'sort') await connection.run(`create table entries as ${rows}`);
const start = performance.now();
await connection.run(statements[step]);
const seconds = (performance.now() - start) / 1e3;
const bytes = step === 'memory' ? null : statSync(out).size;
console.log(JSON.stringify({ step, seconds, bytes, version: version() }));
