// What code written for Assistants v2 does with the official Node client. Run by node:test, with OPENAI_BASE_URL and
// OPENAI_API_KEY set. The model does as tests/clients/model.py says.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import OpenAI from 'openai';

const client = new OpenAI({ maxRetries: 0, timeout: 20_000 });
const { assistants, threads } = client.beta;
const { messages, runs } = threads;
const model = 'gpt-4o';

const functionTool = (name) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: { city: { type: 'string' } } } },
});
const TOOLS = [functionTool('getCurrentWeather'), functionTool('getNickname')];
const OUTPUTS = { getCurrentWeather: '7°', getNickname: 'The Tiger City' };
const ANSWER = '7°, The Tiger City';
const CHART = 'import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()';

const outputs = (run) =>
  run.required_action.submit_tool_outputs.tool_calls.map((call) => ({
    tool_call_id: call.id,
    output: OUTPUTS[call.function.name],
  }));
const textOf = (message) => message.content[0].text.value;
const asked = (content) => [{ role: 'user', content }];

async function all(page) {
  const found = [];
  for await (const item of page) found.push(item);
  return found;
}

let tutor;
let guide;
before(async () => {
  tutor = (await assistants.create({ model, instructions: 'You are a math tutor.' })).id;
  guide = (await assistants.create({ model, tools: TOOLS })).id;
});

describe('objects', () => {
  test('an assistant is changed and deleted', async () => {
    const made = await assistants.create({ model, name: 'Guide', tools: [...TOOLS, { type: 'file_search' }] });
    assert.deepEqual(await assistants.retrieve(made.id), made);
    assert.equal((await assistants.update(made.id, { name: 'New' })).name, 'New');
    assert.equal((await assistants.delete(made.id)).deleted, true);
    await assert.rejects(assistants.retrieve(made.id), OpenAI.NotFoundError);
  });

  test('lists page by themselves', async () => {
    const made = [];
    for (let number = 0; number < 5; number += 1) made.push((await assistants.create({ model })).id);
    const found = (await all(assistants.list({ limit: 2 }))).map((assistant) => assistant.id);
    assert.deepEqual(found.slice(0, 5), made.toReversed());
    const page = await assistants.list({ limit: 2, after: made[4] });
    assert.deepEqual(page.data.map((assistant) => assistant.id), [made[3], made[2]]);
    assert.equal(page.hasNextPage(), true);
  });

  test('a thread and its messages', async () => {
    const thread = await threads.create({ messages: asked('1'), metadata: { user: 'a' } });
    assert.deepEqual((await threads.update(thread.id, { metadata: { user: 'b' } })).metadata, { user: 'b' });
    const second = await messages.create(thread.id, { role: 'user', content: [{ type: 'text', text: '2' }] });
    assert.deepEqual(await messages.retrieve(second.id, { thread_id: thread.id }), second);
    assert.deepEqual((await all(messages.list(thread.id, { order: 'asc', limit: 1 }))).map(textOf), ['1', '2']);
    assert.equal((await messages.delete(second.id, { thread_id: thread.id })).deleted, true);
    assert.equal((await threads.delete(thread.id)).deleted, true);
  });
});

describe('polled runs', () => {
  test('createAndPoll', async () => {
    const thread = await threads.create({ messages: asked('What are your instructions?') });
    const run = await runs.createAndPoll(thread.id, { assistant_id: tutor, additional_instructions: 'Be kind.' });
    assert.equal(run.status, 'completed');
    const [answer] = (await messages.list(thread.id, { run_id: run.id })).data;
    assert.match(textOf(answer), /You are a math tutor\.[^]*Be kind\./);
    const [step] = await all(runs.steps.list(run.id, { thread_id: thread.id }));
    assert.equal(step.step_details.message_creation.message_id, answer.id);
    assert.deepEqual(await runs.steps.retrieve(step.id, { thread_id: thread.id, run_id: run.id }), step);
  });

  test('functions', async () => {
    let run = await threads.createAndRunPoll({ assistant_id: guide, thread: { messages: asked('Oslo?') } });
    assert.equal(run.status, 'requires_action');
    const { thread_id } = run;
    run = await runs.submitToolOutputsAndPoll(run.id, { thread_id, tool_outputs: outputs(run) });
    assert.equal(run.status, 'completed');
    assert.equal(textOf((await messages.list(thread_id)).data[0]), ANSWER);
  });
});

describe('streamed runs', () => {
  test('the events of a stream', async () => {
    const thread = await threads.create({ messages: asked('Take 11 from both sides.') });
    const seen = { deltas: [], done: [], messages: [], steps: [], names: [] };
    const stream = runs
      .stream(thread.id, { assistant_id: tutor })
      .on('textDelta', (delta, snapshot) => {
        seen.deltas.push(delta.value);
        assert.equal(snapshot.value, seen.deltas.join(''));
      })
      .on('textDone', (content) => seen.done.push(content.value))
      .on('messageDone', (message) => seen.messages.push(message))
      .on('runStepDone', (step) => seen.steps.push(step))
      .on('event', ({ event }) => seen.names.push(event));
    const run = await stream.finalRun();
    assert.deepEqual(run, await runs.retrieve(run.id, { thread_id: thread.id }));
    assert.ok(seen.deltas.length > 1);
    assert.deepEqual(seen.done, ['Take 11 from both sides.']);
    assert.deepEqual(seen.messages, (await messages.list(thread.id, { run_id: run.id })).data);
    // What the client adds up by itself: status and times stay as they were when the message began.
    const [message] = await stream.finalMessages();
    assert.deepEqual(message.content[0].text, seen.messages[0].content[0].text);
    assert.deepEqual(seen.steps, (await runs.steps.list(run.id, { thread_id: thread.id })).data);
    assert.deepEqual([seen.names[0], seen.names.at(-1)], ['thread.run.created', 'thread.run.completed']);
  });

  test('createAndRunStream', async () => {
    const stream = threads.createAndRunStream({ assistant_id: tutor, thread: { messages: asked('one two') } });
    const names = (await all(stream)).map(({ event }) => event);
    assert.deepEqual([names[0], names.at(-1)], ['thread.created', 'thread.run.completed']);
  });

  test('functions', async () => {
    const thread = await threads.create({ messages: asked('Oslo?') });
    const calls = [];
    const first = runs
      .stream(thread.id, { assistant_id: guide })
      .on('toolCallDone', (call) => calls.push([call.function.name, JSON.parse(call.function.arguments)]));
    const run = await first.finalRun();
    assert.equal(run.status, 'requires_action');
    assert.deepEqual(calls, Object.keys(OUTPUTS).map((name) => [name, { city: 'Oslo' }]));
    const texts = [];
    const second = runs
      .submitToolOutputsStream(run.id, { thread_id: thread.id, tool_outputs: outputs(run) })
      .on('textDone', (content) => texts.push(content.value));
    assert.equal((await second.finalRun()).status, 'completed');
    assert.deepEqual(texts, [ANSWER]);
  });

  test('pictures', async () => {
    const { id } = await assistants.create({ model, tools: [{ type: 'code_interpreter' }] });
    const thread = await threads.create({ messages: asked(`Run ${CHART}`) });
    const seen = [];
    const stream = runs
      .stream(thread.id, { assistant_id: id })
      .on('imageFileDone', (image, message) => seen.push([image, message.content[0].type]));
    assert.equal((await stream.finalRun()).status, 'completed');
    const [{ content }] = (await messages.list(thread.id, { order: 'desc' })).data;
    assert.deepEqual(seen, [[content[0].image_file, 'image_file']]);
    const file = await client.files.content(content[0].image_file.file_id);
    assert.deepEqual([...new Uint8Array(await file.arrayBuffer())].slice(0, 4), [0x89, 0x50, 0x4e, 0x47]);
  });

  test('cancel', async () => {
    const thread = await threads.create({ messages: asked('Count forever.') });
    const events = await runs.create(thread.id, { assistant_id: tutor, stream: true });
    const seen = [];
    for await (const { event, data } of events) {
      seen.push({ event, data });
      if (event === 'thread.message.delta' && !seen.cancelled) {
        seen.cancelled = true;
        await runs.cancel(seen[0].data.id, { thread_id: thread.id });
      }
    }
    assert.equal(seen.at(-1).event, 'thread.run.cancelled');
    assert.equal((await runs.poll(seen[0].data.id, { thread_id: thread.id })).status, 'cancelled');
  });
});

describe('errors', () => {
  test('classes and bodies', async () => {
    await assert.rejects(assistants.retrieve('asst_none'), (error) => {
      assert.ok(error instanceof OpenAI.NotFoundError);
      assert.match(error.message, /asst_none/);
      assert.match(error.requestID, /^req_/);
      assert.deepEqual(Object.keys(error.error).sort(), ['code', 'message', 'param', 'type']);
      return true;
    });
    await assert.rejects(assistants.create({ model, temperature: 3 }), { status: 400, param: 'temperature' });
    await assert.rejects(assistants.create({ model: 'none' }), { status: 404, code: 'model_not_found' });
    await assert.rejects(new OpenAI({ apiKey: 'wrong' }).models.list(), OpenAI.AuthenticationError);
  });

  test('a locked thread is refused at once', async () => {
    const run = await threads.createAndRunPoll({ assistant_id: guide, thread: { messages: asked('Oslo?') } });
    const { id, thread_id } = run;
    const patient = client.withOptions({ maxRetries: 5 }).beta.threads;
    await assert.rejects(patient.runs.create(thread_id, { assistant_id: guide }), {
      status: 400,
      message: new RegExp(`${thread_id} already has an active run ${id}`),
    });
    await assert.rejects(patient.messages.create(thread_id, { role: 'user', content: 'x' }), {
      status: 400,
      message: new RegExp(`Can't add messages to ${thread_id} while a run ${id} is active`),
    });
    await runs.cancel(id, { thread_id });
    assert.equal((await runs.poll(id, { thread_id })).status, 'cancelled');
  });

  test('headers', async () => {
    const { data, response, request_id } = await threads.create().withResponse();
    assert.equal(data.object, 'thread');
    assert.equal(response.headers.get('x-request-id'), request_id);
    assert.match(request_id, /^req_/);
  });
});
