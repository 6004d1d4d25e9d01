import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Injectable } from '@nestjs/common';
import { DomainError } from '@outrider/errors';
import { START } from './page.js';

export interface Asset {
  readonly type: string;
  readonly bytes: Buffer;
  readonly etag: string;
}

/** Where the build leaves the document of all services: beside the service in an image, in its own package in the project. */
const DOCUMENTS = ['../../openapi.json', '../../../../libs/operator-api/dist/openapi.json'].map(
  (path) => new URL(path, import.meta.url),
);
const PACKAGE = createRequire(import.meta.url);

/** The files of the page, read when they are first asked for. */
@Injectable()
export class DocsAssets {
  private readonly known = new Map<string, Asset>();

  /** The services' documents as one. @throws DomainError `service.unavailable` where it was not built */
  document(): Asset {
    return this.asset('openapi.json', 'application/json', () => {
      const file = DOCUMENTS.find((one) => existsSync(one));
      if (!file)
        throw new DomainError('service.unavailable', { detail: 'this build came without the merged document' });
      return readFileSync(file);
    });
  }

  styles(): Asset {
    return this.asset('styles', 'text/css; charset=utf-8', () => ofPackage('swagger-ui.css'));
  }

  viewer(): Asset {
    return this.asset('viewer', 'text/javascript; charset=utf-8', () => ofPackage('swagger-ui-bundle.js'));
  }

  start(): Asset {
    return this.asset('start', 'text/javascript; charset=utf-8', () => Buffer.from(START));
  }

  private asset(name: string, type: string, read: () => Buffer): Asset {
    const known = this.known.get(name);
    if (known) return known;
    const bytes = read();
    const asset = { type, bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` };
    this.known.set(name, asset);
    return asset;
  }
}

function ofPackage(name: string): Buffer {
  return readFileSync(PACKAGE.resolve(`swagger-ui-dist/${name}`));
}
