// A stand-in for your client, so that the driver has something to drive. Replace it. This one
// submits a job, follows it and cancels it, but implements few of the protocol's other rules.

export class HttpError extends Error {
  constructor(status) {
    super(`the backend answered ${status}`);
    this.status = status;
  }
}

export class Client {
  /** `onEvent(type, data)` is called with each event of the job, and awaited. */
  constructor({ baseUrl, token, org, project, name, input, retryMs, signal, onEvent }) {
    Object.assign(this, { baseUrl, token, name, input, retryMs, signal, onEvent });
    this.query = new URLSearchParams({ orgSlug: org, projectSlug: project });
  }

  async start() {
    const { name, input: config } = this;
    const response = await this.#request("POST", "/v1/jobs", JSON.stringify({ name, config }));
    const { job } = await response.json();
    this.jobId = job.id;
    return job.id;
  }

  async wait() {
    if (!this.jobId) await this.start();
    for (;;) {
      const response = await this.#request("GET", `${this.#path()}/events/stream`);
      for await (const [type, data] of events(response.body)) {
        await this.onEvent(type, data);
        if (type === "training.completed" || type === "training.failed") {
          const status = type.slice("training.".length);
          return { job: { id: this.jobId, status }, artifacts: data.artifacts ?? [] };
        }
      }
      await new Promise((resolve) => setTimeout(resolve, this.retryMs));
    }
  }

  async cancel() {
    await this.#request("POST", `${this.#path()}/cancel`);
  }

  #path() {
    return `/v1/jobs/${this.jobId}`;
  }

  async #request(method, path, body) {
    const headers = { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" };
    const url = `${this.baseUrl}${path}?${this.query}`;
    const response = await fetch(url, { method, headers, body, signal: this.signal });
    if (!response.ok) throw new HttpError(response.status);
    return response;
  }
}

async function* events(body) {
  let text = "";
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => line.startsWith("data:"));
      const data = lines.map((line) => line.slice("data:".length)).join("\n");
      if (data) yield [JSON.parse(data).type, JSON.parse(data)];
    }
  }
}
