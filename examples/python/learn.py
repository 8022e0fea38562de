"""Trains the digits in Python without a framework, then asks what a mistaken image should change."""

import sys

import numpy as np
from formwork_model import Model

library, folder = sys.argv[1:]
model = Model(library, "digits", seed=1)
train, test = np.load(f"{folder}/train.npz"), np.load(f"{folder}/test.npz")

random = np.random.default_rng(0)
for epoch in range(20):
    order = random.permutation(len(train["digit"]))
    model.reset_metrics()
    for start in range(0, len(order), 32):
        batch = order[start : start + 32]
        model.train_step(image=train["image"][batch], digit=train["digit"][batch])
    if epoch % 5 == 4:
        values = {name: float(value) for name, value in model.metrics().items()}
        print(f"epoch {epoch + 1}:", ", ".join(f"{name} {value:.4f}" for name, value in values.items()))

probabilities = model.predict(image=test["image"])["digit"]
right = probabilities.argmax(1) == test["digit"]
print(f"{right.mean():.1%} of {len(right)} new images are right")

# Along the gradient of the loss with respect to the image, the first mistake becomes no mistake.
wrong = np.flatnonzero(~right)[:1]
image, digit = test["image"][wrong].copy(), test["digit"][wrong]
for step in range(100):
    if model.predict(image=image)["digit"].argmax() == digit[0]:
        break
    image -= 0.05 * model.loss_input_gradients(image=image, digit=digit)["image_gradient"]
changed = np.abs(image - test["image"][wrong]).max()
print(f"a {digit[0]} that was taken for a {probabilities[wrong[0]].argmax()} is right "
      f"after {step} steps, no pixel changed by more than {changed:.2f}")  # fmt: skip
sys.exit(right.mean() < 0.95 or step == 99)
