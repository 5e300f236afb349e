"""The lecture's Keras program: test accuracy after 20 epochs. Usage: KERAS_BACKEND=jax keras_mnist.py SEED...

With the word `first` in place of seeds it ends after the first step.
"""
import sys
import time
import keras
from keras.layers import Dense, Dropout
import mnist_data

(x_train, y_train), (x_test, y_test) = mnist_data.load()
y_train, y_test = keras.utils.to_categorical(y_train, 10), keras.utils.to_categorical(y_test, 10)
for seed in map(int, sys.argv[1:] or ["1"]):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([
        keras.Input((784,)),
        Dense(512, activation="relu"), Dropout(0.2),
        Dense(512, activation="relu"), Dropout(0.2),
        Dense(10, activation="softmax"),
    ])
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.RMSprop(), metrics=["accuracy"])
    start = time.perf_counter()
    model.fit(x_train, y_train, batch_size=128, epochs=20, verbose=0, validation_data=(x_test, y_test))
    seconds = time.perf_counter() - start
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"keras {keras.__version__} {keras.backend.backend()} seed {seed}: loss {loss:.4f} "
          f"accuracy {100 * accuracy:.2f}%, {seconds:.1f} s", flush=True)
