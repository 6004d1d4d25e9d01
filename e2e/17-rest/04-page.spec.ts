import { afterAll, describe, expect, it } from '@jest/globals';
import { at } from '../harness/endpoints.js';
import { FOLDER } from '../harness/folder.js';
import { itWith } from '../harness/installed.js';
import { run } from '../harness/run.js';
import { Client } from './client.js';

const client = new Client();
const docs = `${at('gateway', 'operator')}/docs`;
const get = async (url: string, headers: Record<string, string> = {}) => {
  const said = await client.ask({ method: 'GET', url, headers });
  if (!said) throw new Error('no answer');
  return said;
};
const inChromium = itWith(['chromium']);

afterAll(() => client.close());

describe('the page of the APIs', () => {
  it('needs no token, and lets in nothing from elsewhere', async () => {
    const { status, type, text, headers } = await get(docs);
    expect({ status, type }).toEqual({ status: 200, type: 'text/html' });
    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(headers['content-security-policy']).not.toMatch(/unsafe|https?:|\*/);
    expect(text).not.toMatch(/https?:\/\/|<script(?![^>]*src=)|\son\w+=/);
  });

  it('has its files, each of which is asked for once', async () => {
    const { text } = await get(docs);
    const files = [...text.matchAll(/(?:src|href)="(\/docs\/[^"]+)"/g)].map(([, path]) => path as string);
    expect(files).toHaveLength(4);
    for (const path of files) {
      const { status, headers } = await get(new URL(path, docs).href);
      expect({ path, status }).toEqual({ path, status: 200 });
      const again = await get(new URL(path, docs).href, { 'if-none-match': String(headers.etag) });
      expect({ path, status: again.status, text: again.text }).toEqual({ path, status: 304, text: '' });
    }
  });

  inChromium(
    'is shown by Chromium without a complaint',
    async () => {
      const args = [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--ignore-certificate-errors',
        '--enable-logging=stderr',
      ];
      const home = [`--user-data-dir=${FOLDER}/chromium`, '--virtual-time-budget=20000', '--dump-dom'];
      const { stdout, stderr } = await run('chromium', [...args, ...home, docs], { timeoutMs: 90_000 });
      expect(stdout).toContain('opblock-tag');
      expect(stdout).toContain('provisioning (operator)');
      expect(stderr.split('\n').filter((line) => /CONSOLE/.test(line))).toEqual([]);
    },
    120_000,
  );
});
