import { Injectable } from '@nestjs/common';
import { EVENTS_STREAM, filterOf, messageAccepted } from '@outrider/contracts';
import { Nats } from '@outrider/platform/nats';
import { type HighWaterMark, readMark } from './high-water-mark.js';

/** Subjects asked for at a time: bounds what is held, here and by the server. */
const PAGE = 1_000;
const ANSWER_MS = 5_000;

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
    const manager = await this.nats.jetstreamManager();
    const { state } = await manager.streams.info(EVENTS_STREAM.name, { subjects_filter: filterOf(messageAccepted) });
    return Object.keys(state.subjects ?? {});
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
