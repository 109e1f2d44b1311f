// Files and vector stores with the official Node client. Run like assistants.mjs.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import OpenAI, { toFile } from 'openai';

const client = new OpenAI({ maxRetries: 0, timeout: 20_000 });
const { files, vectorStores } = client;
const TEXT = 'The retreat of the project Heron is in Oslo, in the second week of May.';
const quickly = { pollIntervalMs: 20 };

const file = (name) => toFile(Buffer.from(TEXT), name);
const upload = async (name) => (await files.create({ file: await file(name), purpose: 'assistants' })).id;

test('a file', async () => {
  const made = await files.create({ file: await file('笔记.txt'), purpose: 'user_data' });
  assert.deepEqual([made.filename, made.bytes], ['笔记.txt', TEXT.length]);
  assert.deepEqual(await files.retrieve(made.id), made);
  assert.equal(await (await files.content(made.id)).text(), TEXT);
  assert.equal((await files.delete(made.id)).deleted, true);
  await assert.rejects(files.retrieve(made.id), OpenAI.NotFoundError);
});

test('a file in parts', async () => {
  const wanted = { filename: 'a.txt', bytes: 6, mime_type: 'text/plain', purpose: 'user_data' };
  const { uploads } = client;
  const upload = await uploads.create(wanted);
  const send = async (text) =>
    (await uploads.parts.create(upload.id, { data: await toFile(Buffer.from(text), 'part') })).id;
  const [last, first] = [await send('def'), await send('abc')];
  const md5 = createHash('md5').update('abcdef').digest('hex');
  const done = await uploads.complete(upload.id, { part_ids: [first, last], md5 });
  assert.equal(done.status, 'completed');
  assert.deepEqual(await files.retrieve(done.file.id), done.file);
  assert.equal(await (await files.content(done.file.id)).text(), 'abcdef');
  assert.equal((await uploads.cancel((await uploads.create(wanted)).id)).status, 'cancelled');
});

test('the files of a store', async () => {
  const store = await vectorStores.create({ name: 'Notes', metadata: { a: 'b' } });
  const id = await upload('a.txt');
  const added = await vectorStores.files.createAndPoll(store.id, { file_id: id }, quickly);
  assert.deepEqual([added.id, added.status, added.last_error], [id, 'completed', null]);
  const [piece] = (await vectorStores.files.content(id, { vector_store_id: store.id })).data;
  assert.equal(piece.text, TEXT);
  assert.equal((await vectorStores.files.delete(id, { vector_store_id: store.id })).deleted, true);
  assert.equal((await vectorStores.delete(store.id)).deleted, true);
});

test('a batch', async () => {
  const store = await vectorStores.create({});
  const batch = await vectorStores.fileBatches.uploadAndPoll(
    store.id,
    { files: [await file('a.txt'), await file('b.txt')], fileIds: [await upload('c.txt')] },
    quickly,
  );
  assert.deepEqual([batch.status, batch.file_counts.completed], ['completed', 3]);
  const listed = [];
  for await (const one of vectorStores.files.list(store.id, { limit: 2 })) listed.push(one.status);
  assert.deepEqual(listed, ['completed', 'completed', 'completed']);
});

test('a run that searches', async () => {
  const id = await upload('notes.txt');
  const store = await vectorStores.create({ file_ids: [id] });
  await vectorStores.files.poll(store.id, id, quickly);
  const assistant = await client.beta.assistants.create({
    model: 'gpt-4o',
    tools: [{ type: 'file_search' }],
    tool_resources: { file_search: { vector_store_ids: [store.id] } },
  });
  const thread = await client.beta.threads.create({ messages: [{ role: 'user', content: 'Search for retreat' }] });
  const stream = client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
  const [added] = await stream.finalMessages();
  const [message] = (await client.beta.threads.messages.list(thread.id)).data;
  const { value, annotations } = message.content[0].text;
  assert.equal(annotations.at(-1).file_citation.file_id, id);
  assert.equal(value.slice(annotations.at(-1).start_index, annotations.at(-1).end_index), annotations.at(-1).text);
  // The client adds up the annotations of deltas, each with its index.
  assert.equal(added.content[0].text.value, value);
  assert.deepEqual(added.content[0].text.annotations.map(({ index, ...rest }) => rest), annotations);
});
