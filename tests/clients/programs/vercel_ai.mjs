// The package `ai` of Vercel over both of its providers for chat completions. Run like assistants.mjs.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from 'ai';
import { z } from 'zod';

const baseURL = process.env.OPENAI_BASE_URL;
const apiKey = process.env.OPENAI_API_KEY;
const compatible = { name: 'retinue', baseURL, apiKey, supportsStructuredOutputs: true, includeUsage: true };
const MODELS = {
  '@ai-sdk/openai': createOpenAI({ baseURL, apiKey }).chat('gpt-4o'),
  '@ai-sdk/openai-compatible': createOpenAICompatible(compatible).chatModel('gpt-4o'),
};

const prompt = 'Hello! 你好!';
const inputSchema = z.object({ city: z.string() });
const tools = {
  getCurrentWeather: tool({ description: 'The weather in a city.', inputSchema, execute: async () => '7°' }),
  getNickname: tool({ description: 'What people call it.', inputSchema, execute: async () => 'The Tiger City' }),
};
const ANSWER = '7°, The Tiger City';
const OSLO = { city: 'Oslo' };

async function all(stream) {
  const found = [];
  for await (const item of stream) found.push(item);
  return found;
}

for (const [provider, model] of Object.entries(MODELS)) {
  const common = { model, maxRetries: 0 };

  describe(provider, () => {
    test('generateText', async () => {
      const answer = await generateText({ ...common, system: 'Be helpful.', prompt, temperature: 0 });
      assert.equal(answer.text, prompt);
      assert.equal(answer.finishReason, 'stop');
      assert.equal(answer.usage.totalTokens, 12);
      assert.equal(answer.response.modelId, 'scripted');
    });

    test('streamText', async () => {
      const answer = streamText({ ...common, prompt });
      const pieces = await all(answer.textStream);
      assert.equal(pieces.join(''), prompt);
      assert.ok(pieces.length > 1);
      assert.equal(await answer.finishReason, 'stop');
      assert.equal((await answer.usage).totalTokens, 12);
    });

    test('tools', async () => {
      const answer = await generateText({ ...common, prompt: 'Oslo?', tools, stopWhen: stepCountIs(3) });
      assert.equal(answer.text, ANSWER);
      assert.deepEqual(answer.steps[0].toolCalls.map((call) => [call.toolName, call.input]), [
        ['getCurrentWeather', OSLO],
        ['getNickname', OSLO],
      ]);
    });

    test('tools in a stream', async () => {
      const answer = streamText({ ...common, prompt: 'Oslo?', tools, stopWhen: stepCountIs(3) });
      const kinds = new Set((await all(answer.fullStream)).map((part) => part.type));
      assert.ok(kinds.has('tool-call') && kinds.has('tool-result') && kinds.has('text-delta'));
      assert.ok(!kinds.has('error'));
      assert.equal((await answer.steps).at(-1).text, ANSWER);
    });

    test('objects', async () => {
      assert.deepEqual((await generateObject({ ...common, prompt: 'Where?', schema: inputSchema })).object, OSLO);
      const streamed = streamObject({ ...common, prompt: 'Where?', schema: inputSchema });
      assert.deepEqual((await all(streamed.partialObjectStream)).at(-1), OSLO);
      assert.deepEqual(await streamed.object, OSLO);
    });

    test('errors', async () => {
      const refused = generateText({ ...common, prompt: 'Fail.' });
      await assert.rejects(refused, (error) => {
        assert.ok(APICallError.isInstance(error));
        assert.equal(error.statusCode, 400);
        assert.match(error.message, /The model refuses/);
        return true;
      });
    });
  });
}
