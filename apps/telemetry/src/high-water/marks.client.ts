import { Injectable } from '@nestjs/common';
import { EVENTS_STREAM, filterOf, messageAccepted } from '@outrider/contracts';
import { Nats } from '@outrider/platform/nats';
import { z } from 'zod';
import { type HighWaterMark, readMark } from './high-water-mark.js';

/** Subjects asked for at a time: bounds what is held, here and by the server. */
const PAGE = 1_000;
const ANSWER_MS = 5_000;
/** The server goes through its whole index for it. Asked again too soon, it would go through it twice. */
const LIST_MS = 60_000;
const INFO = `$JS.API.STREAM.INFO.${EVENTS_STREAM.name}`;

const StreamInfo = z.object({
  state: z.object({ subjects: z.record(z.string(), z.number()).optional() }).optional(),
  error: z.object({ description: z.string().optional() }).optional(),
  /** Of all subjects, where one answer cannot hold them. */
  total: z.number().optional(),
});

interface Asked {
  readonly marks: HighWaterMark[];
  readonly unreadable: string[];
}

/** The last event of each device, as JetStream kept it: outside PostgreSQL, and so outside its backups. */
@Injectable()
export class MarksClient {
  constructor(private readonly nats: Nats) {}

  /** Subjects of all devices that sent within the stream's age. Throws when JetStream does not answer. */
  async subjects(): Promise<string[]> {
    const subjects: string[] = [];
    for (;;) {
      const question = { subjects_filter: filterOf(messageAccepted), offset: subjects.length };
      const answer = await this.nats.connection.request(INFO, JSON.stringify(question), { timeout: LIST_MS });
      const { state, error, total = 0 } = StreamInfo.parse(answer.json());
      if (!state) throw new Error(`JetStream does not list its subjects: ${error?.description}`);
      const page = Object.keys(state.subjects ?? {});
      for (const subject of page) subjects.push(subject);
      if (page.length === 0 || subjects.length >= total) return subjects;
    }
  }

  /** Their last events, a page at a time. Throws when one is not answered; an event that aged away meanwhile is left out. */
  async *pages(subjects: readonly string[]): AsyncGenerator<Asked> {
    for (let at = 0; at < subjects.length; at += PAGE) yield await this.ask(subjects.slice(at, at + PAGE));
  }

  /** One subscription for a whole page: a request of its own for each would cost three times as much. */
  private ask(subjects: readonly string[]): Promise<Asked> {
    const { connection } = this.nats;
    const inbox = this.nats.inbox();
    const marks: HighWaterMark[] = [];
    const unreadable: string[] = [];
    let open = subjects.length;
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        subscription.unsubscribe();
        settle();
      };
      const timer = setTimeout(() => {
        end(() => reject(new Error(`JetStream left ${open} of ${subjects.length} questions unanswered`)));
      }, ANSWER_MS);
      const subscription = connection.subscribe(`${inbox}.*`, {
        callback: (error, message) => {
          if (error) return end(() => reject(error));
          const subject = subjects[Number(message.subject.slice(inbox.length + 1))]!;
          const status = message.headers?.code ?? 0;
          if (status !== 0 && status !== 404) {
            return end(() => reject(new Error(`JetStream answered ${status} for ${subject}`)));
          }
          const mark = status === 0 ? readMark(subject, message.string()) : undefined;
          if (mark) marks.push(mark);
          else if (status === 0) unreadable.push(subject);
          open -= 1;
          if (open === 0) end(() => resolve({ marks, unreadable }));
        },
      });
      for (const [index, subject] of subjects.entries()) {
        connection.publish(directGet(subject), undefined, { reply: `${inbox}.${index}` });
      }
    });
  }
}

/** The last event of a subject; the permission for it names the subject too, so that nobody else's events can be read so. */
function directGet(subject: string): string {
  return `$JS.API.DIRECT.GET.${EVENTS_STREAM.name}.${subject}`;
}
