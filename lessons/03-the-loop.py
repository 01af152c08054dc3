# %% [markdown] lang="en"
# # 3 · Write the training loop
#
# You know both networks and the three losses. What is missing is the order of things: who learns when, from which
# images, and how often. In this lesson you write the loop of the original tutorial in forty lines, and check it: it
# must give the same losses as `inkgan train --recipe tutorial`, to five decimals.

# %% [markdown] lang="zh" of="3fdf52c6"
# # 3 · 亲手写训练循环
#
# 两个网络和三个损失你都认识了，还差一样：顺序。谁在什么时候学、看哪些图、学几次？
# 这一课你用四十行写出原教程的训练循环，再检验它：损失必须和 `inkgan train --recipe tutorial` 的一样，精确到小数点后五位。

# %% [markdown] lang="en"
# ## What happens in one step?
#
# Before you read on, put these in order: update the generator; draw latents for the discriminator; update the
# discriminator; take a batch of real images; draw latents for the generator.
#
# The tutorial does it like this:
#
# 1. Take 50 real images, draw 50 latents, let the generator draw 50 images.
# 2. Update the discriminator on both.
# 3. Draw 50 *new* latents, and update the generator with them.
#
# Before all this, the discriminator learns alone for 300 steps, so that its gradient has something to say from the
# start.

# %% [markdown] lang="zh" of="3b7badae"
# ## 一步里发生什么？
#
# 往下看之前，先给这几件事排个序：更新生成器；为判别器抽隐变量；更新判别器；取一批真图；为生成器抽隐变量。
#
# 教程的做法是：
#
# 1. 取 50 张真图，抽 50 个隐变量，让生成器画 50 张图。
# 2. 用这两批图更新判别器。
# 3. 另抽 50 个**新的**隐变量，用它们更新生成器。
#
# 在这之前，判别器先单独学 300 步，这样它的梯度从一开始就言之有物。

# %% [markdown] lang="en"
# ## Where do random numbers come from?
#
# To compare two programs number by number, both need the same random numbers. inkgan draws every one of them from a
# *seed* (a whole number that you choose), a purpose, and the number of the step. So you can have the latents of step 7
# without drawing those of steps 0 to 6. Why is that useful? Because a run can stop and resume later as if nothing had
# happened.

# %% [markdown] lang="zh" of="dbc05eb5"
# ## 随机数从哪里来？
#
# 要一个数一个数地比较两个程序，双方必须用同样的随机数。inkgan 的每个随机数都由三样东西决定：**种子**（由你选定的一个整数）、用途、第几步。
# 所以不用抽第 0 到 6 步的隐变量，就能直接得到第 7 步的。这有什么好处？训练可以随时停下，以后接着来，就像没停过一样。

# %%
import numpy as np
import torch

from inkgan.data import load
from inkgan.images import curves, sheet, to_uint8
from inkgan.seeds import BatchOrder, Stream, latents, rng

SEED = 0
mnist = load("mnist")
order = BatchOrder(SEED, len(mnist.train), 50)
print("the first images of batch 7:", order.batch(7)[:5])
again = latents(SEED, Stream.DISCRIMINATOR_LATENTS, 7, 50, 100)
sheet(mnist.train.images[order.batch(7)[:20]], columns=10, scale=2)

# %%
assert np.array_equal(again, latents(SEED, Stream.DISCRIMINATOR_LATENTS, 7, 50, 100))
assert not np.array_equal(again, latents(SEED, Stream.GENERATOR_LATENTS, 7, 50, 100))

# %% [markdown] lang="en"
# `BatchOrder` shuffles all 55,000 images and deals them out, batch by batch. No image comes twice before all have come
# once. One such round is an *epoch*. How many steps of 50 images is that?

# %% [markdown] lang="zh" of="03af35b0"
# `BatchOrder` 把 55,000 张图打乱顺序，一批一批发出去。每张图都发过一次之后，才会有图发第二次。这样全部发完一遍，叫作一**轮**（epoch）。
# 每步 50 张，一轮要多少步？

# %%
print(len(mnist.train) // 50, "steps")
assert len(mnist.train) // 50 == 1100

# %% [markdown] lang="en"
# ## The forty lines
#
# Read them twice. What keeps the discriminator's loss from reaching the generator? Where does each Adam get its
# parameters? At which weights are the two gradients of the discriminator taken?
#
# `source` supplies the random numbers for the initial weights. Its seed is the one that inkgan uses, so both programs
# begin with the same networks.
#
# The tutorial ran on TensorFlow, whose Adam adds ε in another place. (The averages m and v of lesson 2 begin at 0. In
# each step they move towards the new value by a share of 1 − 0.9 and 1 − 0.999; 0.9 and 0.999 are the `betas`. So both
# are too small at first. To correct this, Adam divides m by 1 − 0.9^t and v by 1 − 0.999^t in step t. PyTorch adds ε to
# √v after this correction, TensorFlow before it.) A few lines make PyTorch's Adam do what TensorFlow's does. If you
# have the tutorial's code beside you, this is where its parts are now:
#
# | the tutorial, TensorFlow 1 | here |
# | --- | --- |
# | `tf.placeholder`, `feed_dict` | arguments of a function: `D(real)`, `G(z)` |
# | `tf.Session`, `sess.run` | nothing: PyTorch computes every line at once |
# | `tf.get_variable`, `reuse_variables` | a network holds its weights; call `D` twice, and both calls use the same |
# | `truncated_normal_initializer`, `global_variables_initializer` | done by `Discriminator(source)`, `Generator(source)` |
# | `tf.nn.conv2d`, `resize_images`, `batch_norm` | the layers of [lesson 1](01-two-networks.ipynb) |
# | `mnist.train.next_batch(50)` | `order.batch(number)` |
# | `np.random.normal(0, 1, [50, 100])` | `latents(…)` |
# | `sigmoid_cross_entropy_with_logits`, labels of ones | `softplus(-logits)` |
# | the same, labels of zeros | `softplus(logits)` |
# | `d_vars` and `g_vars`, chosen by name | `D.parameters()`, `G.parameters()` |
# | `AdamOptimizer(0.0003).minimize(…)` | `torch.autograd.grad`, then `update` |
# | `tf.summary`, `FileWriter` | `inkgan.train`, and TensorBoard below |
# | `tf.train.Saver`, the trained model | `inkgan.load("tutorial")` below |
#
# In places the tutorial's text and its code differ: see [what its code really computes](../../docs/tutorial.md).

# %% [markdown] lang="zh" of="21d99138"
# ## 四十行
#
# 读两遍。是什么拦住了判别器的损失，不让它传到生成器？每个 Adam 的参数从哪里来？判别器的两个梯度是在哪一组权重上求的？
#
# `source` 提供初始权重用的随机数，它的种子和 inkgan 用的相同，所以两个程序从同样的网络开始。
#
# 原教程用 TensorFlow，它的 Adam 加 ε 的位置和 PyTorch 不同。（第 2 课的两个平均 m 和 v 从 0 开始，每一步朝新的值挪近一点，比例分别是 1 − 0.9 和 1 − 0.999；0.9 和 0.999 就是 `betas`。所以两者起初都偏小，Adam 在第 t 步把 m 除以 1 − 0.9^t、把 v 除以 1 − 0.999^t 来修正。PyTorch 在修正之后给 √v 加 ε，TensorFlow 在修正之前加。）多写几行就能让 PyTorch 照做。如果手边有教程的代码，可以对照这张表，看每一部分现在到哪里去了：
#
# | 教程（TensorFlow 1） | 这里 |
# | --- | --- |
# | `tf.placeholder`、`feed_dict` | 函数的参数：`D(real)`、`G(z)` |
# | `tf.Session`、`sess.run` | 不需要：PyTorch 每一行都立即计算 |
# | `tf.get_variable`、`reuse_variables` | 网络自己保管权重；`D` 调用两次，用的是同一组权重 |
# | `truncated_normal_initializer`、`global_variables_initializer` | `Discriminator(source)`、`Generator(source)` 里面已经做好 |
# | `tf.nn.conv2d`、`resize_images`、`batch_norm` | [第 1 课](01-two-networks.ipynb)里的各种层 |
# | `mnist.train.next_batch(50)` | `order.batch(number)` |
# | `np.random.normal(0, 1, [50, 100])` | `latents(…)` |
# | `sigmoid_cross_entropy_with_logits`，标签全为 1 | `softplus(-logits)` |
# | 同上，标签全为 0 | `softplus(logits)` |
# | `d_vars`、`g_vars`，靠名字挑选 | `D.parameters()`、`G.parameters()` |
# | `AdamOptimizer(0.0003).minimize(…)` | 先 `torch.autograd.grad`，再 `update` |
# | `tf.summary`、`FileWriter` | `inkgan.train`，见下文的 TensorBoard 一节 |
# | `tf.train.Saver`、训练好的模型 | `inkgan.load("tutorial")`，见下文 |
#
# 教程的正文和代码有几处对不上，见[它的代码到底算了什么](../../docs/tutorial.zh-CN.md)。

# %%
from torch.nn.functional import softplus

from inkgan.networks.tutorial import Discriminator, Generator


def adam_for(network, rate):
    return torch.optim.Adam(network.parameters(), rate, betas=(0.9, 0.999))


def update(adam, gradients, count):
    """One step of Adam with TensorFlow's epsilon; `count` steps came before."""
    group = adam.param_groups[0]
    group["eps"] = 1e-8 / (1 - 0.999 ** (count + 1)) ** 0.5
    for parameter, gradient in zip(group["params"], gradients, strict=True):
        parameter.grad = gradient
    adam.step()


def train(pretraining, steps):
    """The tutorial's loop; returns the losses of each step, and the networks."""
    source = torch.Generator().manual_seed(int(rng(SEED, Stream.INITIALISATION).integers(2**63)))
    D, G = Discriminator(source), Generator(source)
    d_real, d_fake, g = adam_for(D, 3e-4), adam_for(D, 3e-4), adam_for(G, 1e-4)
    history = []
    for number in range(pretraining + steps):
        real = torch.tensor(mnist.train.images[order.batch(number)]) / 255
        z = torch.from_numpy(latents(SEED, Stream.DISCRIMINATOR_LATENTS, number, 50, 100))
        with torch.no_grad():
            fake = G(z)

        loss_real = softplus(-D(real)).mean()
        loss_fake = softplus(D(fake)).mean()
        gradients_real = torch.autograd.grad(loss_real, list(D.parameters()))
        gradients_fake = torch.autograd.grad(loss_fake, list(D.parameters()))
        update(d_real, gradients_real, number)
        update(d_fake, gradients_fake, number)
        found = {"loss_real": loss_real.item(), "loss_fake": loss_fake.item()}

        if number >= pretraining:
            z = torch.from_numpy(latents(SEED, Stream.GENERATOR_LATENTS, number, 50, 100))
            loss_generator = softplus(-D(G(z))).mean()
            gradients = torch.autograd.grad(loss_generator, list(G.parameters()))
            update(g, gradients, number - pretraining)
            found["loss_generator"] = loss_generator.item()
        history.append(found)
    return history, D, G


# %% [markdown] lang="en"
# Did you find them? `no_grad` around the drawing keeps that loss from reaching the generator. `adam_for` hands each
# Adam the parameters of one network. And both gradients are taken at the same weights, since both are computed before
# either update.
#
# Now run it, with 8 steps of pre-training instead of 300, and 6 joint steps. It is slow, on purpose: these are the
# tutorial's own layers with their large 56×56 maps. Watch the losses: near which number must all three begin?

# %% [markdown] lang="zh" of="e18c98fb"
# 找到了吗？画图时的 `no_grad` 拦住了损失，不让它传到生成器；`adam_for` 给每个 Adam 一个网络的参数；
# 两个梯度都算完之后才更新，所以它们是在同一组权重上求的。
#
# 现在运行：预训练 8 步，而不是 300 步，再联合训练 6 步。跑得很慢，这是有意的：这里用的是教程原来的层，特征图有 56×56 那么大。
# 看看损失：三个损失应该从哪个数附近开始？

# %% short=["PRETRAINING, STEPS = 8, 6", "PRETRAINING, STEPS = 1, 2"]
PRETRAINING, STEPS = 8, 6
mine, D, G = train(PRETRAINING, STEPS)
for line in mine:
    print("  ".join(f"{name} {value:.5f}" for name, value in line.items()))

# %% [markdown] lang="en"
# ## The same from inkgan
#
# All three begin near 0.693 = log 2: the discriminator shrugs. Are these the numbers of the tutorial?
#
# `inkgan.train` does the same with networks that are rewritten to be faster. It also logs, saves and draws; every
# number that it logs is in `metrics.jsonl`. In a terminal this would be `inkgan train --recipe tutorial --steps 6
# --precision float32 --device cpu --set pretraining_steps=8 --set watch.log_every=1`. (float32 means numbers of 32
# bits; lesson 6 says when fewer will do.)

# %% [markdown] lang="zh" of="2980e731"
# ## inkgan 的结果
#
# 三个损失都从 0.693 = log 2 附近开始：判别器在耸肩。这些数和教程的一样吗？
#
# `inkgan.train` 做同样的事，只是把网络改写过，算得更快。它还会记录、保存和画图；记录的每个数都在 `metrics.jsonl` 里。
# 在终端里相当于 `inkgan train --recipe tutorial --steps 6 --precision float32 --device cpu --set pretraining_steps=8 --set watch.log_every=1`。（float32 是 32 位的数；什么时候可以用更少的位，第 6 课会讲。）

# %%
import inkgan
from inkgan.runs import metrics

settings = {"pretraining_steps": PRETRAINING, "watch.log_every": 1, "watch.show_every": 2, "watch.show_seconds": 0.0}
result = inkgan.train(
    "tutorial",
    steps=STEPS,
    seed=SEED,
    out="runs/check",
    precision="float32",
    device="cpu",
    force=True,
    settings=settings,
)

# %%
theirs = [line for line in metrics.read(result.folder / "metrics.jsonl") if "loss_real" in line]
assert len(theirs) == len(mine)
pairs = [(own[name], other[name]) for own, other in zip(mine, theirs, strict=True) for name in own]
differences = [abs(own - other) / max(1, own) for own, other in pairs]
print(f"{len(differences)} losses compared, largest difference: {max(differences):.1e}")
assert max(differences) < 1e-5

# %% [markdown] lang="en"
# The same numbers, from two programs. That is the strongest test of a rebuilt algorithm there is: not "the pictures
# look alike", but "each loss of each step is the same". (inkgan's recipe passed this test against the tutorial itself:
# against numbers that [its own TensorFlow graph](../../docs/tutorial.md) computed.) Break one thing in your forty lines
# and run them again. Use the same latents for both updates; compute `loss_fake` and its gradient after the
# discriminator's first update; forget the new epsilon. The numbers show it within these few steps: each of the three
# changes breaks the bound of 0.00001.
#
# ## What do you see while it trains?
#
# The original prints a picture and the discriminator's *estimate* for it every 100 steps. If you run the cell above,
# inkgan shows both every second step, and leaves a sheet of the last pictures. What is an estimate of −3? And what
# would you like to see at the end of a good training?

# %% [markdown] lang="zh" of="45e3e028"
# 两个程序，同样的数字。要检验一个复现的算法，没有比这更强的办法：不是“图看起来差不多”，而是“每一步的每个损失都相等”。（inkgan 的这套配方也这样检验过，对照的是[原教程自己的计算图](../../docs/tutorial.zh-CN.md)在 TensorFlow 里算出的数。）
# 在你的四十行里故意弄坏一处再运行：两次更新用同一批隐变量；判别器更新一次之后才算 `loss_fake` 和它的梯度；忘了改 ε。才这么几步，数字就会告诉你：三种改法，差别都超过 0.00001。
#
# ## 训练的时候看什么？
#
# 原教程每 100 步打印一张图，以及判别器对它的**估计**。运行上面的单元，inkgan 每两步显示一次，最后留下一整页图。估计为 −3 是什么意思？
# 训练得好的话，最后你希望看到什么？

# %%
with torch.no_grad():
    drawn = G(torch.from_numpy(latents(SEED, Stream.SHOWN_LATENTS, 0, 50, 100)))
    estimates = D(drawn)
print("estimates of the first five:", [round(x, 2) for x in estimates[:5].tolist()])
print("as probabilities:", [round(x, 3) for x in torch.sigmoid(estimates[:5]).tolist()])
sheet(to_uint8(drawn[:10].numpy()), columns=10, scale=2)

# %% [markdown] lang="en"
# An estimate is a logit. −3 would mean a probability of 0.05: "almost certainly generated". After these few steps it is
# still a shrug. In a perfect game it would hover around 0, too, but with digits to look at.
#
# ## TensorBoard
#
# The original writes its losses and pictures for TensorBoard every 10 steps, and so does inkgan. In a terminal:
# `tensorboard --logdir runs`; in a notebook: `%load_ext tensorboard`, then `%tensorboard --logdir runs`. What is in
# those files? Curves and pictures, each under a name. We read them without a browser.

# %% [markdown] lang="zh" of="09b4a63a"
# 估计就是 logit。−3 对应的概率是 0.05：“几乎可以肯定是生成的”。才练了这么几步，判别器还在耸肩。
# 理想的博弈里，估计也应该在 0 附近徘徊，只不过那时看到的是数字。
#
# ## TensorBoard
#
# 原教程每 10 步给 TensorBoard 写一次损失和图片，inkgan 也一样。在终端里用 `tensorboard --logdir runs`；
# 在 notebook 里先 `%load_ext tensorboard`，再 `%tensorboard --logdir runs`。这些文件里有什么？曲线和图片，各有名字。我们不用浏览器，直接读出来。

# %%
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(str(result.folder / "tensorboard")).Reload()
print("scalars:", events.Tags()["scalars"])
print("pictures:", events.Tags()["images"])
lesson_tags = ["Discriminator_loss_real", "Discriminator_loss_fake", "Generator_loss"]
courses = [[event.value for event in events.Scalars(tag)] for tag in lesson_tags]
later = [[np.nan] * (len(mine) - len(course)) + course for course in courses]  # the generator begins later
curves(*later, across=(0, len(mine) - 1))

# %% [markdown] lang="en"
# The steps run from left to right. The blue curve is the discriminator's loss on real images, and the orange one its
# loss on generated images. The green one is the generator's loss; the generator begins to learn at step 8. Each curve
# begins near 0.693, the loss of a coin toss. In its first steps the discriminator calls everything a little more real,
# so its loss on real images falls and that on generated ones rises. But it already gives real images the higher logits
# (exercise 1). After some twenty steps it gets both right, as you saw in lesson 1.
#
# ## What happens in 100,000 steps?
#
# This takes two hours on two cores, so we did it once; `inkgan train --recipe tutorial` repeats it. Here are the same
# twenty latents after 1,000, 3,000, 10,000, 30,000 and 100,000 steps:
#
# ![Twenty latents after 1,000 to 100,000 steps](../../docs/pictures/tutorial.png)
#
# What do you notice? When does it become good, and does it stay good? The last generator is bundled with inkgan. Let it
# draw.

# %% [markdown] lang="zh" of="6239d3de"
# 蓝线是判别器在真图上的损失，橙线是它在生成的图上的损失，绿线是生成器的损失；横轴是步数，生成器从第 8 步才开始学。三条线都从 0.693 附近开始，也就是抛硬币的损失。
# 最初几步，判别器对什么都更倾向于说“真”，所以它在真图上的损失下降，在生成的图上的损失反而上升。
# 不过它给真图的分数已经更高了（见练习 1）。到二十来步，两边它就都能答对了，第 1 课里已经看到过。
#
# ## 100,000 步之后呢？
#
# 两个 CPU 核要跑两小时，所以我们替你跑过一遍，`inkgan train --recipe tutorial` 可以重复。
# 下面是同样的二十个隐变量在 1,000、3,000、10,000、30,000 和 100,000 步之后的样子：
#
# ![二十个隐变量，从 1,000 步到 100,000 步](../../docs/pictures/tutorial.png)
#
# 你注意到了什么？什么时候变好的？之后一直好吗？最后那个生成器随 inkgan 一起提供，让它来画。

# %% short=["COUNT = 1000", "COUNT = 100"]
tutorial = inkgan.load("tutorial")
COUNT = 1000
drawn = tutorial.sample(COUNT, seed=1)
sheet(drawn[:40], columns=20, scale=1)

# %% [markdown] lang="en"
# Some are digits; many are almost. Do all ten digits appear? We cannot count a thousand by eye, but a classifier can.
# It must name a digit for every blot, so take its counts with a grain of salt.

# %% [markdown] lang="zh" of="9a0fdf9f"
# 有些是数字，很多只是差不多。十个数字都出现了吗？一千张用眼睛数不过来，但分类器可以。
# 不过它对每个墨团都必须说出一个数字，所以结果要打点折扣。

# %%
from inkgan.evaluation.features import load_features

judge = load_features()
named = judge.probabilities(drawn[..., None]).argmax(1)
counts = np.bincount(named, minlength=10)
real_counts = np.bincount(mnist.train.labels[:1000], minlength=10)
for digit in range(10):
    print(digit, "generated", f"{counts[digit]:4}", "#" * (counts[digit] // 10))
    print("  real     ", f"{real_counts[digit]:4}", "#" * (real_counts[digit] // 10))

# %% full=true
assert counts.argmax() == 3
assert counts[3] > 3 * 100
assert counts[0] < 20
assert real_counts.min() > 70

# %% [markdown] lang="en"
# More than three times as many threes as there should be, and next to no zeros. (But are there no rings among the
# twenty after 100,000 steps? There are, and nearly all have a stroke or a tail too many: the classifier calls them 9, 8
# or 2.) The generator found out what *passes*. Nobody told it to draw everything.
#
# The recorded losses say the rest. Each point is the median of 500 steps, the bar through it spans the middle half of
# them, and both axes are logarithmic. (The colours are those of your curves above.) [The record](../../docs/experiments.md)
# has more figures:
#
# ![Losses over 100,000 steps](../../docs/pictures/tutorial-losses.png)
#
# * In the first 2,000 steps the discriminator wins outright. Its losses are near 0, and the pictures are blots.
# * Until about 20,000 steps neither side wins, and the digits appear. From about 5,000 steps on, though, both of the
#   discriminator's losses are above 0.693: on average it would do better by tossing a coin.
# * After 20,000 steps the discriminator's losses grow without bound, to thirty times the loss of a coin toss, on real
#   and on generated images alike, and the pictures hardly get better. It is *sure and wrong*: nothing keeps its logits
#   small.
# * Does the discriminator take the generated images for real, then? And why is the generator's loss not 0? Between the
#   two losses lies the discriminator's own step: its loss is computed before that step, the generator's after it. One
#   step is enough to throw these logits from one side to the other, so both networks lose within the same step.
#
# So what went wrong? Nothing holds the discriminator back; the generator is never asked to cover all digits; and no
# average calms its weights. Lesson 6 mends these one by one. First you should see more ways in which a GAN can fail:
# that is lesson 4.
#
# You can also play with a running loop: `inkgan export best -o page.html` makes a page that shows the losses and the
# pictures of every step under *Learn*. Press *Run*, then *Pause*, and go on with *One step*; then choose *Frozen
# discriminator* under *Break it*, and press *Run* again. What happens to the two losses? (The answer is failure number
# 3 of lesson 4.)
#
# <!-- play: learn -->
#
# ## Exercises
#
# Try each before you unfold its solution, and the answer below it.
#
# **1.** In what share of pairs does your discriminator score a real image higher than a generated one, after so few
# steps?

# %% [markdown] lang="zh" of="586dbf65"
# “3”的数量是应有的三倍多，“0”几乎没有。（100,000 步之后的那二十张里不是有几个圈吗？有，但几乎都多了一笔或一条尾巴，分类器认作“9”“8”或“2”。）生成器摸索出了什么能**蒙混过关**，没有人要求它把什么都画出来。
#
# 剩下的，看记录下来的损失就知道。图中每个点是 500 步的中位数，竖线从下四分位数到上四分位数，也就是居中的一半；两个坐标轴都用对数刻度。（颜色和你上面画的曲线一样。）更多的数在[记录](../../docs/experiments.md)（英文）里：
#
# ![100,000 步的损失](../../docs/pictures/tutorial-losses.zh-CN.png)
#
# * 前 2,000 步判别器大获全胜，它的损失接近 0，图只是墨团。
# * 到 20,000 步左右为止，双方难分胜负，数字渐渐出现。不过从 5,000 步左右起，判别器的两个损失就都超过了 0.693：平均来说，它还不如抛硬币。
# * 20,000 步之后，判别器的损失无止境地上涨，达到抛硬币损失的三十倍，在真图和生成的图上都是如此，图也几乎不再变好。它**又自信又错**：没有什么约束它的 logit，任由它们越来越大。
# * 这么说，判别器把生成的图认作真的了？那生成器的损失为什么不是 0？中间隔着判别器自己的一步：它的损失是在这一步之前算的，生成器的是在这一步之后算的。这些 logit，走一步就足以从一边甩到另一边，所以两个网络在同一步里都输。
#
# 那么问题出在哪里？没有东西约束判别器；没有人要求生成器画全所有数字；也没有用平均来稳住权重。第 6 课会逐一补上。
# 在那之前，先看看 GAN 还能怎样失败，这是第 4 课。
#
# 你也可以亲手摆弄一个正在运行的循环：`inkgan export best -o page.html` 做出的网页里，“学习过程”显示每一步的损失和图。
# 先按“运行”，再按“暂停”，用“走一步”一步一步地走；然后在“故意弄坏”里选“冻结判别器”，再按“运行”。两个损失会怎样？（答案就是第 4 课的第 3 种失败。）
#
# <!-- play: learn -->
#
# ## 练习
#
# 每题先自己试，再展开参考代码和下面的答案。
#
# **1.** 把真图和生成的图两两配对。才练了这么几步，有多大比例的配对，你的判别器给真图打的分更高？

# %% solution=true
with torch.no_grad():
    real = torch.tensor(mnist.validation.images[:50]) / 255
    in_order = (D(real)[:, None] > D(G(torch.randn(50, 100)))[None, :]).float().mean().item()
print(f"{in_order:.0%} of {50 * 50} pairs")

# %% full=true solution=true
assert in_order > 0.9

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# Nearly all of them: the scores of both lie close to 0, but in a pair the real image's is the higher one.
#
# </details>
#
# **2.** The tutorial computes both gradients of the discriminator at the same weights and then makes two Adam steps.
# How large does the difference get if the second loss is computed, and its gradient taken, after the first step? Change
# the loop and look at the losses. (PyTorch refuses to compute a gradient if the weights have changed since the loss was
# computed.)

# %% [markdown] lang="zh" of="a05ca1d5"
# <details><summary>答案</summary>
#
# 几乎全部：两边的分数都在 0 附近，但两张一比，真图的略高。
#
# </details>
#
# **2.** 教程在同一组权重上求判别器的两个梯度，然后走两步 Adam。如果第一步之后才算第二个损失、求它的梯度，差别有多大？改一下循环，看看损失。（损失算好之后权重又变了，PyTorch 就拒绝再求它的梯度。）

# %% solution=true
source = torch.Generator().manual_seed(int(rng(SEED, Stream.INITIALISATION).integers(2**63)))
other, still = Discriminator(source), Generator(source)
first, second = adam_for(other, 3e-4), adam_for(other, 3e-4)
for number in range(2):
    real = torch.tensor(mnist.train.images[order.batch(number)]) / 255
    with torch.no_grad():
        fake = still(torch.from_numpy(latents(SEED, Stream.DISCRIMINATOR_LATENTS, number, 50, 100)))
    loss_real = softplus(-other(real)).mean()
    update(first, torch.autograd.grad(loss_real, list(other.parameters())), number)
    loss_fake = softplus(other(fake)).mean()  # after the first step
    update(second, torch.autograd.grad(loss_fake, list(other.parameters())), number)
    print(
        f"step {number}: loss_fake {loss_fake.item():.5f} here, {mine[number]['loss_fake']:.5f} in the tutorial's order"
    )
assert abs(loss_fake.item() - mine[1]["loss_fake"]) > 1e-4

# %% [markdown] lang="en"
# <details><summary>Answer</summary>
#
# Large enough to see in the very first step. Neither order is better, but only one is the tutorial's.
#
# </details>
#
# ## Can you answer these?
#
# <details><summary>Why new latents for the generator's update?</summary>
#
# The discriminator has just learned from the old ones.
#
# </details>
#
# <details><summary>What does a discriminator's loss of 0.693 on real images mean?</summary>
#
# It says 0.5: it is tossing a coin.
#
# </details>
#
# <details><summary>The discriminator's loss is nearly 0 for a thousand steps. Good news?</summary>
#
# No. The generator learns little from a judge that is never in doubt.
#
# </details>

# %% [markdown] lang="zh" of="3fc32c05"
# <details><summary>答案</summary>
#
# 第一步就看得出差别。两种顺序没有优劣，但只有一种是教程的。
#
# </details>
#
# ## 自测
#
# <details><summary>更新生成器时，为什么要抽新的隐变量？</summary>
#
# 旧的那批，判别器刚刚学过。
#
# </details>
#
# <details><summary>判别器在真图上的损失是 0.693，说明什么？</summary>
#
# 它说 0.5，等于在抛硬币。
#
# </details>
#
# <details><summary>判别器的损失连续一千步接近 0，是好消息吗？</summary>
#
# 不是。裁判从不犹豫，生成器就学不到多少。
#
# </details>
