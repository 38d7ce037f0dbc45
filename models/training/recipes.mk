# What ships, trained from nothing with one command each; README.md beside this says what there is and how long it takes.
#
#     make train-voice TRAIN=FOLDER [WORK=build/training]
#
# TRAIN holds pop909, groove, drum_oneshots, esc10 and fsdd. What is made on the way lies under WORK and is not made
# again; a training that was stopped goes on. The network is left in WORK/NAME and put in its place by hand. JOBS pieces of
# music are rendered at once; make -j2 train-beat has both teachers trained side by side.
TRAIN ?= data/train
WORK ?= build/training
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)

# One thread for arithmetic: on small machines a second one slows the rest down.
RUN := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m models
MUSIC := $(WORK)/music
PACKAGES := $(WORK)/packages
GAMES := $(WORK)/games
BANK := $(WORK)/bank

SPEECH_PACKAGES := asterisk-core-sounds-en-g722 asterisk-core-sounds-es-g722 asterisk-core-sounds-fr-g722 \
  asterisk-core-sounds-it-g722 asterisk-core-sounds-ru-g722 asterisk-prompt-es-co asterisk-prompt-fr-armelle \
  asterisk-prompt-it-menardi-wav beneath-a-steel-sky drascula festvox-ru fillets-ng-data fillets-ng-data-cs \
  fillets-ng-data-nl flight-of-the-amazon-queen gcin-voice hedgewars-data klettres-data ktuberling-data \
  megaglest-data nexuiz-data openarena-data pocketsphinx-testdata trigger-rally-data tuxpaint-stamps-default \
  warzone2100-data
MUSIC_PACKAGES := amoebax-data asc-music blobwars-data boswars-data btanks-data caveexpress-data endless-sky-data \
  extremetuxracer-data fb-music-high flare-game freedroidrpg-data frozen-bubble-data hyperrogue-music krank \
  lincity-ng-data lugaru-data marsshooter-data naev-data neverball-data nexuiz-music openclonk-data pathological \
  pushover-data redeclipse-data singularity-music starfighter-data supertux-data supertuxkart-data trackballs-data \
  ufoai-music warmux-data warzone2100-music wizznic-data xmoto-data zaz-data
GAME_PACKAGES := a7xpg-data angrydd ardentryst ballz-data bb berusky2-data biniax2-data black-box blockout2 bomberclone-data \
  bugsquish castle-game-engine-doc cavepacker-data ceferino-data circuslinux-data colobot-common-sounds \
  criticalmass-data csmash-demosong cube2-data cuyo-data davegnukem-data dodgindiamond2 enigma-data \
  epiphany-data fillets-ng-data flobopuyo freecol freedroid-data fretsonfire-songs-muldjord \
  fretsonfire-songs-sectoid gemdropx gigalomania-data gl-117-data glob2-data gltron gunroar-data gweled \
  hannah-data hedgewars-data heroes-sound-tracks hex-a-hop-data ironseed-data lordsawar-data madbomber-data \
  megaglest-data miceamaze monsterz-data mu-cade-data neverball-common njam-data noiz2sa-data \
  open-invaders-data pachi-data parsec47-data pathogen pax-britannica-data pekka-kana-2-data penguin-command \
  performous phlipple-data pinball-table-gnu-data pinball-table-hurd-data pingus-data pink-pony-data \
  planetblupi-music-ogg plee-the-bear-data powermanga-data rafkill-data raincat-data ri-li-data rockdodger \
  rrootage-data scorched3d-data seahorse-adventures solarwolf tecnoballz-data titanion-data tomatoes-data \
  torcs-data torus-trooper-data tumiki-fighters-data tuxfootball tuxmath-data tuxtype-data unknown-horizons \
  vectoroids vodovod vonsh vor wesnoth-1.16-music widelands-data wordwarvi-sound
NOISE_PACKAGES := searchandrescue-data sonic-pi-samples ufoai-sound
FONT_PACKAGES := csound-soundfont denemo-data freepats lmms-common minuet-data

TRAINED_MIX := composer=.66,pop909=.18,groove=.10,mix=.06

.PHONY: train-beat train-voice train-pitch train-tags train-key train-structure train-drums train-tools

train-tools:
	@scripts/setup.sh train

# --- what several need -----------------------------------------------------------------------------------------
$(MUSIC)/.done: | train-tools
	$(RUN).training.render --data $(TRAIN) --out $(MUSIC) --hours 12 --seed 8000000 \
	  --mix $(TRAINED_MIX) --jobs $(JOBS)
	touch $@

$(PACKAGES)/.done: | train-tools
	scripts/fetch_packages.sh $(PACKAGES) $(SPEECH_PACKAGES) $(MUSIC_PACKAGES) $(NOISE_PACKAGES) $(FONT_PACKAGES)
	touch $@

$(GAMES)/.done: | train-tools
	scripts/fetch_packages.sh $(GAMES) $(GAME_PACKAGES)
	touch $@

$(BANK).json: $(PACKAGES)/.done
	$(RUN).voice.corpus $(BANK) --human $(PACKAGES) --fsdd $(TRAIN)/fsdd

# --- one each --------------------------------------------------------------------------------------------------
# Two teachers, a network that learns from both, the same after it has heard real music that the three answer together,
# its head that tells music from everything else, the count of the bar, and a second network (models/beat/CARD.md).
BEAT := $(WORK)/beat
TRAIN_BEAT := $(RUN).beat.train --core ssm --hidden 144 --layers 4
train-beat: $(BEAT)/with-music.onnx $(BEAT)/bars.onnx $(BEAT)/beside/final.pt

$(BEAT)/music/.done: PIECES := --hours 33 --seed 5000000
$(BEAT)/more/.done: PIECES := --hours 16.6 --seed 6000000
$(BEAT)/new/.done: PIECES := --hours 9 --seed 66000000
$(BEAT)/newer/.done: PIECES := --hours 25 --seed 91000000
$(BEAT)/%/.done: | train-tools
	$(RUN).training.render --data $(TRAIN) --out $(@D) $(PIECES) --mix $(TRAINED_MIX) --jobs $(JOBS)
	$(RUN).training.dataset $(@D) $(@D)/features --features models.beat.features:Features
	touch $@

$(BEAT)/first/final.pt: COURSE := --seed 11 --steps 4000
$(BEAT)/second/final.pt: COURSE := --seed 23 --steps 2600
$(BEAT)/%/final.pt: $(BEAT)/music/.done
	$(TRAIN_BEAT) --data $(<D) --out $(@D) $(COURSE) --batch 16 --rate 2e-3

$(BEAT)/teachers.onnx: $(BEAT)/first/final.pt $(BEAT)/second/final.pt
	$(RUN).beat.export $@ $^

$(BEAT)/student/final.pt: $(BEAT)/more/.done $(BEAT)/teachers.onnx
	$(TRAIN_BEAT) --data $(<D) --out $(@D) --seed 41 --batch 14 --seconds 28 --rate 1e-3 --steps 700 \
	  --teacher $(BEAT)/teachers.onnx --from $(BEAT)/teachers.onnx --trust 0.5

HEARD := $(addprefix $(PACKAGES)/,$(MUSIC_PACKAGES))
PANEL := --networks $(BEAT)/teachers.onnx $(BEAT)/student/beat.onnx
LISTEN := --batch 14 --seconds 28 --rate 1e-3 --answers --trust 0.4 --from $(BEAT)/student/beat.onnx
$(BEAT)/final.pt: $(BEAT)/new/.done $(BEAT)/student/final.pt $(PACKAGES)/.done
	$(RUN).beat.answers $(<D) $(PANEL)
	$(RUN).beat.hindsight $(BEAT)/real --music $(HEARD) $(PANEL)
	$(TRAIN_BEAT) --data $(<D) $(BEAT)/real --out $(@D) --seed 81 --steps 320 $(LISTEN)

$(BEAT)/tracks/.done: $(BEAT)/new/.done $(PACKAGES)/.done
	$(RUN).voice.corpus $(BEAT)/bank --human $(PACKAGES) --fsdd $(TRAIN)/fsdd --sung 0
	$(RUN).voice.tracks $(@D) --bank $(BEAT)/bank --music $(<D) --esc $(TRAIN)/esc10 --packages $(PACKAGES) --share 0.25
	touch $@

$(BEAT)/with-music.onnx: $(BEAT)/final.pt $(BEAT)/tracks/.done
	$(RUN).beat.music $@ $(BEAT)/beat.onnx --tracks $(BEAT)/tracks --seed 1

# The second network, which has heard more games and tracker modules, and the answers of the first as well.
$(BEAT)/tunes/.done: $(PACKAGES)/.done $(GAMES)/.done
	$(RUN).training.modules $(@D) --music $(HEARD) $(addprefix $(GAMES)/,$(GAME_PACKAGES))
	touch $@

$(BEAT)/beside/final.pt: $(BEAT)/newer/.done $(BEAT)/tunes/.done $(BEAT)/final.pt
	$(RUN).beat.answers $(<D) $(PANEL) $(BEAT)/beat.onnx
	$(RUN).beat.hindsight $(BEAT)/real-again --music $(HEARD) $(PANEL) $(BEAT)/beat.onnx
	$(RUN).beat.hindsight $(BEAT)/more-real --music $(BEAT)/tunes $(addprefix $(GAMES)/,$(GAME_PACKAGES)) $(PANEL) $(BEAT)/beat.onnx
	$(TRAIN_BEAT) --data $(<D) $(BEAT)/real-again $(BEAT)/more-real --out $(@D) --seed 102 --steps 2600 $(LISTEN)

$(BEAT)/bars.onnx: $(BEAT)/more/.done
	$(RUN).beat.train_bars --data $(<D) --out $(BEAT)/bars --seed 3 --steps 1000
	$(RUN).beat.barnet $@ $(BEAT)/bars/final.pt

train-voice: $(MUSIC)/.done $(BANK).json
	$(RUN).voice.tracks $(WORK)/voice/tracks/held-out --bank $(BANK) --music $(MUSIC) --esc $(TRAIN)/esc10 \
	  --packages $(PACKAGES) --held-out --share 0.08
	$(RUN).voice.tracks $(WORK)/voice/tracks/train --bank $(BANK) --music $(MUSIC) --esc $(TRAIN)/esc10 \
	  --packages $(PACKAGES)
	$(RUN).voice.train --tracks $(WORK)/voice/tracks --out $(WORK)/voice/first --seed 6 --batch 16 --steps 14000 --rate 2e-3
	$(RUN).voice.train --tracks $(WORK)/voice/tracks --out $(WORK)/voice/second --seed 7 --batch 16 --steps 5000 \
	  --rate 1.5e-3 --from $(WORK)/voice/first/final.pt
	$(RUN).voice.network $(WORK)/voice/voice.onnx $(WORK)/voice/first/final.pt $(WORK)/voice/second/final.pt

train-pitch: $(MUSIC)/.done $(BANK).json
	$(RUN).pitch.scenes $(WORK)/pitch/scenes --music $(MUSIC) --speech $(BANK) --data $(TRAIN) --count 2200 --seed 1
	$(RUN).pitch.scenes $(WORK)/pitch/held-out --music $(MUSIC) --speech $(BANK) --data $(TRAIN) --count 100 --seed 2
	$(RUN).pitch.train --scenes $(WORK)/pitch/scenes --held-out $(WORK)/pitch/held-out --out $(WORK)/pitch \
	  --seed 1 --steps 1950

train-tags: $(MUSIC)/.done $(BANK).json
	$(RUN).tags.stems $(WORK)/tags/stems --data $(TRAIN) --packages $(PACKAGES) --bank $(BANK) --music $(MUSIC) \
	  --count 4400
	$(RUN).tags.stems $(WORK)/tags/stems --data $(TRAIN) --packages $(PACKAGES) --bank $(BANK) --music $(MUSIC) \
	  --count 400 --held-out --seed 21000000
	$(RUN).tags.train --stems $(WORK)/tags/stems --out $(WORK)/tags --steps 6300

train-key: $(MUSIC)/.done
	$(RUN).key.train --data $(MUSIC) --cache $(WORK)/key/features --out $(WORK)/key --seed 1 --steps 450

train-structure: | train-tools
	$(RUN).structure.render --data $(TRAIN) --out $(WORK)/structure/music --pieces 334
	$(RUN).structure.render --data $(TRAIN) --out $(WORK)/structure/music --pieces 50 --held-out
	$(RUN).training.dataset $(WORK)/structure/music $(WORK)/structure/features --features models.tags.features:Frames
	$(RUN).structure.train --data $(WORK)/structure/music --cache $(WORK)/structure/features --out $(WORK)/structure \
	  --steps 1600 --passes 3 --seed 3

train-drums: | train-tools
	$(RUN).drums.backing --data $(TRAIN) --out $(WORK)/drums/backing --hours 10
	$(RUN).training.render --data $(TRAIN) --out $(WORK)/drums/mixes --hours 17 --seed 6000000 --mix $(TRAINED_MIX) \
	  --jobs $(JOBS)
	$(RUN).drums.train --data $(TRAIN) --backing $(WORK)/drums/backing --mixes $(WORK)/drums/mixes --out $(WORK)/drums --seed 1 \
	  --steps 600
