// A connection to one other person by perfect negotiation (W3C WebRTC, section 10.7): both sides may offer at any time, and of two
// offers that cross the polite side takes its own back. But the first offer is always the impolite side's: a browser that takes back
// the first offer of a connection may never look for ways to the other (Chromium's gathering stays where it was). The polite side
// says that it is there, and waits.

// Milliseconds after which what has led to nothing is said again: it may have been lost on the way.
const PATIENCE = 5_000;

export class Peer {
  // The other's page; null until it has said something.
  page;
  #connection;
  #isPolite;
  #send;
  #hasBegun;
  #isOffering = false;
  #ignoresOffer = false;
  // Signals are taken one after another, in their order.
  #work = Promise.resolve();
  #timer = null;

  // send(signal) hands something to the other side; onStream(stream) and onState(words) tell how it goes.
  constructor({ servers, stream, page, isPolite, send, onStream, onState }) {
    this.page = page;
    this.#isPolite = isPolite;
    this.#hasBegun = !isPolite;
    this.#send = send;
    const connection = (this.#connection = new RTCPeerConnection({ iceServers: servers }));
    connection.onnegotiationneeded = () => this.#hasBegun && this.#offer();
    connection.onicecandidate = ({ candidate }) => candidate && send({ candidate });
    connection.ontrack = ({ streams }) => onStream(streams[0]);
    connection.onconnectionstatechange = () => {
      onState(connection.connectionState);
      if (connection.connectionState === "failed") connection.restartIce();
    };
    for (const track of stream.getTracks()) connection.addTrack(track, stream);
    this.#timer = setInterval(() => this.#sayAgain(), PATIENCE);
    if (isPolite) queueMicrotask(() => this.#sayAgain());
  }

  hear(signal) {
    this.#work = this.#work.then(() => this.#take(signal)).catch((error) => console.warn("signal", error));
  }

  close() {
    clearInterval(this.#timer);
    this.#connection.close();
  }

  #sayAgain() {
    const { connectionState, signalingState, localDescription } = this.#connection;
    if (connectionState === "connected" || connectionState === "closed") return;
    if (!this.#hasBegun) this.#send({ isThere: true });
    else if (this.#isPolite) return;
    else if (signalingState === "have-local-offer") this.#send({ description: localDescription });
    else this.#connection.restartIce();
  }

  async #offer() {
    try {
      this.#isOffering = true;
      await this.#describe();
    } catch (error) {
      console.warn("offer", error);
    } finally {
      this.#isOffering = false;
    }
  }

  async #describe() {
    await this.#connection.setLocalDescription();
    this.#send({ description: this.#connection.localDescription });
  }

  async #take({ description, candidate }) {
    const connection = this.#connection;
    if (connection.signalingState === "closed") return;
    if (description) {
      const isOffer = description.type === "offer";
      const crosses = isOffer && (this.#isOffering || connection.signalingState !== "stable");
      this.#ignoresOffer = !this.#isPolite && crosses;
      if (this.#ignoresOffer) return;
      // The second answer to an offer that was sent twice.
      if (description.type === "answer" && connection.signalingState !== "have-local-offer") return;
      this.#hasBegun = true;
      await connection.setRemoteDescription(description);
      if (isOffer) await this.#describe();
    } else if (candidate) {
      try {
        await connection.addIceCandidate(candidate);
      } catch (error) {
        // One of an offer that was not taken.
        if (!this.#ignoresOffer) throw error;
      }
    }
  }
}
