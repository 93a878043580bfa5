// A connection to one other person by perfect negotiation (W3C WebRTC, section 10.7): both sides may offer at any time, and of two
// offers that cross the polite side takes its own back.

export class Peer {
  // The other's page; null until it has said something.
  page;
  #connection;
  #isPolite;
  #send;
  #isOffering = false;
  #ignoresOffer = false;
  // Signals are taken one after another, in their order.
  #work = Promise.resolve();

  // send(signal) hands something to the other side; onStream(stream) and onState(words) tell how it goes.
  constructor({ servers, stream, page, isPolite, send, onStream, onState }) {
    this.page = page;
    this.#isPolite = isPolite;
    this.#send = send;
    const connection = (this.#connection = new RTCPeerConnection({ iceServers: servers }));
    connection.onnegotiationneeded = () => this.#offer();
    connection.onicecandidate = ({ candidate }) => candidate && send({ candidate });
    connection.ontrack = ({ streams }) => onStream(streams[0]);
    connection.onconnectionstatechange = () => {
      onState(connection.connectionState);
      if (connection.connectionState === "failed") connection.restartIce();
    };
    for (const track of stream.getTracks()) connection.addTrack(track, stream);
  }

  hear(signal) {
    this.#work = this.#work.then(() => this.#take(signal)).catch((error) => console.warn("signal", error));
  }

  close() {
    this.#connection.close();
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
