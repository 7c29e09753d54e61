import { resolve } from 'node:path';
import { timelineOf } from '../../recovery/timeline.js';
import { atomicWrite } from '../../util/atomic-write.js';
import { utf8 } from '../../util/bytes.js';
import type { Context } from '../context.js';
import { byteCount } from '../format.js';
import { withProgress } from '../progress.js';
import { timelineDocument } from '../timeline/document.js';
import { timelinePage } from '../timeline/page.js';
import { timelineText } from '../timeline/text.js';
import { withHost } from '../with-host.js';

/** What happened to the state and when, with its backups; as a page with `--html`. */
export async function timeline(context: Context, _: string[], { html }: { html?: string }): Promise<void> {
  await withHost(context, { readOnly: true }, async (host) => {
    const backups = await host.archives();
    const { backend_type: backend } = host.config.runtime.state_persistence;
    const store = backend === 'memory' ? {} : { store: await host.store() };
    const found = await withProgress(context, (watching) => timelineOf({ backups, ...store }, watching));
    for (const warning of found.warnings) context.out.notice(warning);
    const document = timelineDocument(found);
    if (html === undefined) return context.out.result(document, (style) => timelineText(found, style));
    const page = utf8(timelinePage(document, Date.now()));
    const file = resolve(context.cwd, html);
    await atomicWrite(file, (handle) => handle.writeFile(page));
    context.out.result({ file, size_bytes: page.length }, () => `Wrote ${html} (${byteCount(page.length)}).`);
  });
}
