// What is sent of oneself: the camera and the microphone, or a picture that is drawn, for machines without either.

export async function picture(kind, name) {
  if (kind === "test") return drawn(name);
  if (!navigator.mediaDevices) throw new Error("this browser gives a camera to pages of https and localhost only");
  return navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: true });
}

// A hand that goes round, in a colour of the name's own, so that each frame differs from the one before.
function drawn(name) {
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 480;
  const context = canvas.getContext("2d");
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);
  const draw = () => {
    const angle = (Date.now() / 4000) * 2 * Math.PI;
    context.fillStyle = `hsl(${hue} 45% 22%)`;
    context.fillRect(0, 0, 640, 480);
    context.lineWidth = 14;
    context.lineCap = "round";
    context.strokeStyle = `hsl(${hue} 70% 65%)`;
    context.beginPath();
    context.arc(320, 220, 150, 0, 2 * Math.PI);
    context.moveTo(320, 220);
    context.lineTo(320 + 130 * Math.sin(angle), 220 - 130 * Math.cos(angle));
    context.stroke();
    context.fillStyle = "#fff";
    context.font = "28px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText(name, 320, 430, 600);
  };
  draw();
  const timer = setInterval(draw, 1000 / 15);
  const stream = canvas.captureStream(15);
  const [track] = stream.getTracks();
  const stop = track.stop.bind(track);
  track.stop = () => {
    clearInterval(timer);
    stop();
  };
  return stream;
}
