// OpenAI's client for JavaScript: an answer and a stream, from a provider with a format of its own.

import OpenAI from 'openai'

const client = new OpenAI({
  apiKey: 'X', // not used: the virtual key has the credential
  baseURL: process.env.GATEWAY_URL ?? 'http://127.0.0.1:8787/v1',
  defaultHeaders: { 'x-portkey-virtual-key': 'claude' },
})
const request = {
  model: 'claude-sonnet-4-6',
  messages: [{ role: 'user', content: 'What is the meaning of life, universe and everything?' }],
}

const answer = await client.chat.completions.create(request)
console.log(answer.choices[0].message.content)

const stream = await client.chat.completions.create({
  ...request, stream: true, stream_options: { include_usage: true },
})
let tokens = 0
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta.content ?? '')
  tokens = chunk.usage?.total_tokens ?? tokens
}
console.log(`\n${tokens} tokens`)
