// What code written for chat completions does with the official Node client. Run like assistants.mjs.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';

const client = new OpenAI({ maxRetries: 0, timeout: 20_000 });
const chat = client.chat.completions;
const model = 'gpt-4o';
const said = 'Hello! 你好!';
const messages = [
  { role: 'system', content: 'You are a helpful assistant.' },
  { role: 'user', content: said },
];
const asked = (content) => [{ role: 'user', content }];

const functionTool = (name) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
});
const OUTPUTS = { getCurrentWeather: '7°', getNickname: 'The Tiger City' };
const TOOLS = Object.keys(OUTPUTS).map(functionTool);
const ANSWER = '7°, The Tiger City';
const Place = z.object({ city: z.string() });
const OSLO = { city: 'Oslo' };

const textOf = (chunks, index = 0) =>
  chunks
    .flatMap((chunk) => chunk.choices)
    .filter((choice) => choice.index === index)
    .map((choice) => choice.delta.content ?? '')
    .join('');

async function all(stream) {
  const found = [];
  for await (const chunk of stream) found.push(chunk);
  return found;
}

describe('texts', () => {
  test('a whole answer', async () => {
    const answer = await chat.create({ model, messages, temperature: 0, seed: 1, stop: '。' });
    assert.equal(answer.choices[0].message.content, said);
    assert.equal(answer.model, 'scripted');
    assert.equal(answer.usage.total_tokens, 12);
  });

  test('a stream', async () => {
    const chunks = await all(await chat.create({ model, messages, stream: true, stream_options: { include_usage: true } }));
    assert.equal(textOf(chunks), said);
    assert.equal(chunks.at(-1).usage.total_tokens, 12);
    assert.equal(chunks.at(-2).choices[0].finish_reason, 'stop');
  });

  test('two answers in one stream', async () => {
    const chunks = await all(await chat.create({ model, messages, n: 2, stream: true }));
    assert.deepEqual([textOf(chunks, 0), textOf(chunks, 1)], [said, said]);
  });

  test('the helper for streams', async () => {
    const seen = [];
    const stream = chat.stream({ model, messages }).on('content', (delta, snapshot) => {
      seen.push(delta);
      assert.equal(snapshot, seen.join(''));
    });
    assert.equal(await stream.finalContent(), said);
    assert.ok(seen.length > 1);
    assert.equal((await stream.finalChatCompletion()).choices[0].finish_reason, 'stop');
  });

  test('a reader who leaves', async () => {
    for await (const chunk of await chat.create({ model, messages: asked('Count forever.'), stream: true })) {
      if (chunk.choices[0].delta.content) break;
    }
    assert.equal((await chat.create({ model, messages })).choices[0].message.content, said);
  });
});

describe('functions', () => {
  test('calls and outputs', async () => {
    const first = await chat.create({ model, messages: asked('Oslo?'), tools: TOOLS, tool_choice: 'auto' });
    const { message, finish_reason } = first.choices[0];
    assert.equal(finish_reason, 'tool_calls');
    assert.deepEqual(message.tool_calls.map((call) => call.function.name), Object.keys(OUTPUTS));
    const outputs = message.tool_calls.map((call) => ({
      role: 'tool',
      tool_call_id: call.id,
      content: OUTPUTS[call.function.name],
    }));
    const second = await chat.create({ model, messages: [...asked('Oslo?'), message, ...outputs] });
    assert.equal(second.choices[0].message.content, ANSWER);
  });

  for (const stream of [false, true]) {
    test(`runTools${stream ? ', streamed' : ''}`, async () => {
      const tools = Object.entries(OUTPUTS).map(([name, output]) => ({
        type: 'function',
        function: {
          ...functionTool(name).function,
          parse: JSON.parse,
          function: (given) => {
            assert.deepEqual(given, OSLO);
            return output;
          },
        },
      }));
      const runner = chat.runTools({ model, messages: asked('Oslo?'), tools, stream });
      assert.equal(await runner.finalContent(), ANSWER);
      assert.deepEqual(
        runner.messages.map((message) => message.role),
        ['user', 'assistant', 'tool', 'tool', 'assistant'],
      );
    });
  }
});

describe('objects', () => {
  const response_format = zodResponseFormat(Place, 'place');

  test('an answer', async () => {
    const answer = await chat.parse({ model, messages: asked('Where?'), response_format });
    assert.deepEqual(answer.choices[0].message.parsed, OSLO);
  });

  test('a stream', async () => {
    const answer = await chat.stream({ model, messages: asked('Where?'), response_format }).finalChatCompletion();
    assert.deepEqual(answer.choices[0].message.parsed, OSLO);
  });

  test('arguments', async () => {
    const tools = [zodFunction({ name: 'find', parameters: Place })];
    const answer = await chat.parse({ model, messages: asked('Where?'), tools });
    assert.deepEqual(answer.choices[0].message.tool_calls[0].function.parsed_arguments, OSLO);
  });
});

describe('the rest', () => {
  test('headers', async () => {
    const { data, response, request_id } = await chat.create({ model, messages }).withResponse();
    assert.equal(data.choices[0].message.content, said);
    assert.equal(response.headers.get('openai-model'), 'scripted');
    assert.equal(response.headers.get('x-request-id'), request_id);
    assert.ok(response.headers.get('x-ratelimit-remaining-tokens'));
  });

  test('errors', async () => {
    await assert.rejects(chat.create({ model, messages, temperature: 3 }), { status: 400, param: 'temperature' });
    await assert.rejects(chat.create({ model: 'none', messages }), { status: 404, code: 'model_not_found' });
    for (const stream of [false, true]) {
      await assert.rejects(chat.create({ model, messages: asked('Fail.'), stream }), /The model refuses/);
    }
  });
});
